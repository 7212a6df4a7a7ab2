"""The plate forms of Kazakhstan as a table, and what may be concluded from a text that fits one.

A text is first taken as it was read. Kazakhstan is a hypothesis beside others: a text that fits no
Kazakh form stays what it is and is never bent into one. Letters and digits that look alike may be
exchanged only where a form asks for it, and the exchange is reported. O and 0, I and 1 are one
shape on many plates; Z and 2, B and 8, S and 5, G and 6 are not, and are exchanged only where the
reader itself held the other possible: else a trailer's 29SLF02 would become a car's 295LF02.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import Final

REGION: Final = r"(?:0[1-9]|1\d|20)"
CYRILLIC: Final = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")
ROUND_LETTERS: Final = frozenset("OQ")
TWINS: Final = {"O": "0", "0": "O", "I": "1", "1": "I", "Q": "0"}
LOOK_ALIKES: Final = {
    "Z": "2",
    "2": "Z",
    "B": "8",
    "8": "B",
    "S": "5",
    "5": "S",
    "G": "6",
    "6": "G",
}
MOST_EXCHANGES: Final = 2
NOWHERE: Final[frozenset[int]] = frozenset()


class Owner(StrEnum):
    """A hint only: the vehicle register decides."""

    PERSON = "person"
    ENTITY = "entity"
    EITHER = "either"
    FOREIGN = "foreign"
    SERVICE = "service"
    IMMUNITY = "immunity"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PlateType:
    """One row of the table. `proven` rows are confirmed by a source; others need a KZ mark."""

    name: str
    pattern: re.Pattern[str]
    owner: Owner
    proven: bool
    automatic_fine: bool = True


def _type(
    name: str, pattern: str, owner: Owner, *, proven: bool = True, automatic_fine: bool = True
) -> PlateType:
    compiled = re.compile(f"^{pattern.replace('R', REGION)}$")
    return PlateType(name, compiled, owner, proven, automatic_fine)


KAZAKH_TYPES: Final = (
    _type("police", r"\d{3}KPR?", Owner.SERVICE, automatic_fine=False),
    _type("police_1993", r"KP\d{3,4}R?", Owner.SERVICE, proven=False, automatic_fine=False),
    _type("car_person", r"\d{3}[A-Z]{3}R", Owner.PERSON),
    _type("car_entity", r"\d{3}[A-Z]{2}R", Owner.ENTITY),
    _type("motorcycle", r"\d{2}[A-Z]{2}R", Owner.EITHER),
    _type("trailer", r"\d{2}[A-Z]{3}R", Owner.EITHER, proven=False),
    _type("honorary_consul", r"HC\d{3,6}R?", Owner.IMMUNITY, proven=False, automatic_fine=False),
    _type("head_of_mission", r"CMD\d{3,6}R?", Owner.IMMUNITY, proven=False, automatic_fine=False),
    _type("diplomat", r"[DT]\d{3,6}R?", Owner.IMMUNITY, proven=False, automatic_fine=False),
    _type("foreign_owner", r"[FH]\d{4}R", Owner.FOREIGN),
    _type("foreign_owner_other", r"[A-Z]\d{4}R", Owner.FOREIGN, proven=False),
    _type("car_person_1993", r"[A-Z]\d{3}[A-Z]{3}", Owner.PERSON),
    _type("car_entity_1993", r"[A-Z]\d{3}[A-Z]{2}", Owner.ENTITY),
    _type("motorcycle_1993", r"\d{4}[A-Z]{2}", Owner.UNKNOWN, proven=False),
    _type("special", r"[A-Z]{2}\d{3,4}R?", Owner.SERVICE, proven=False, automatic_fine=False),
)
SQUARE: Final = re.compile(rf"^(?P<region>{REGION})(?P<letters>[A-Z]{{2,3}})(?P<digits>\d{{2,3}})$")
REGIONS_1993: Final = {
    "Z": "01",
    "A": "02",
    "C": "03",
    "D": "04",
    "B": "05",
    "V": "05",
    "E": "06",
    "L": "07",
    "H": "08",
    "K": "09",
    "M": "09",
    "P": "10",
    "N": "11",
    "R": "12",
    "X": "13",
    "S": "14",
    "T": "15",
    "F": "16",
    "U": "16",
}
"""First letters of 1993 plates; O and W stood for several regions and are left out."""


@dataclass(frozen=True, slots=True)
class ForeignForm:
    """A form seen abroad; the country is "" where several share it. `seal_after` says where round
    stickers stand, which readers take for one more character."""

    country: str
    pattern: re.Pattern[str]
    seal_after: int | None = None


FOREIGN_FORMS: Final = (
    ForeignForm("UA", re.compile(r"^[ABCEHIKMOPTX]{2}\d{4}[ABCEHIKMOPTX]{2}$")),
    ForeignForm("RU", re.compile(r"^[ABEKMHOPCTYX]\d{3}[ABEKMHOPCTYX]{2}\d{2,3}$")),
    ForeignForm("KG", re.compile(r"^0\dKG\d{3}[A-Z]{3}$")),
    ForeignForm("UZ", re.compile(r"^\d{2}[A-Z]\d{3}[A-Z]{2}$")),
    ForeignForm("GB", re.compile(r"^[A-Z]{2}\d{2}[A-Z]{3}$")),
    ForeignForm("CZ", re.compile(r"^\d[A-Z]\d{5}$"), seal_after=3),
    ForeignForm("", re.compile(r"^[A-Z]{2}\d{3}[A-Z]{2}$")),
    ForeignForm("", re.compile(r"^[A-Z]{3}\d{4}$"), seal_after=3),
    ForeignForm("", re.compile(r"^[A-Z]{2}\d{5}$"), seal_after=2),
)
FOREIGN_ROWS: Final = (
    ForeignForm("UA", re.compile(r"^[ABCEHIKMOPTX]{4}\d{4}$")),
    ForeignForm("UA", re.compile(r"^\d{4,5}[ABCEHIKMOPTX]{2}$")),
)
"""Forms that occur on plates of rows only."""
FOREIGN: Final = "foreign"
SEALS: Final = frozenset("8B3S0")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text under one hypothesis of its country."""

    text: str
    country: str
    plate_type: str
    owner: Owner
    region: str = ""
    automatic_fine: bool = False
    ambiguous: bool = False
    exchanged: tuple[int, ...] = ()
    """Places whose character was read as its twin."""
    mended: tuple[int, ...] = ()
    """Places whose character was read as its look-alike, which the reader held possible."""
    dropped: int | None = None
    """Place in the text as read of a sticker that was taken for a character."""
    doubtful: tuple[int, ...] = ()
    """Places whose look-alike would make it another Kazakh form, so that only the reader tells."""
    order: tuple[int, ...] = ()
    """Of each character its place in the text as read; empty where nothing was reordered."""

    @property
    def fits(self) -> bool:
        """Whether the text has a known form, of whatever country."""
        return bool(self.country) or self.plate_type == FOREIGN


def normalised(text: str) -> str:
    """Upper case, Latin letters for Cyrillic twins, nothing but letters and digits."""
    return re.sub(r"[^A-Z0-9]", "", text.upper().translate(CYRILLIC))


def understood(
    text: str, *, marked_kz: bool = False, possible: frozenset[int] = NOWHERE
) -> Reading:
    """The likeliest hypothesis for a text as it was read; it need not fit any form.

    `marked_kz` says that a KZ mark was seen on the plate, which lets weaker forms count as well;
    `possible` are the places where the reader held the look-alike possible.
    """
    plain = normalised(text)
    if plain.startswith("KZ") and (stripped := _kazakh(plain[2:], marked_kz=True)):
        return stripped
    direct = _kazakh(plain, marked_kz=marked_kz) or _foreign(plain)
    if direct.fits:
        return direct
    twin = next(_with_twins(plain), None)
    return twin or _with_look_alikes(plain, possible) or _without_seal(plain) or direct


def two_rows(upper: str, lower: str, *, possible: frozenset[int] = NOWHERE) -> Reading | None:
    """A square plate: its region stands first above; written out in the order of one line."""
    marked, below = normalised(upper), normalised(lower)
    above = marked.removeprefix("KZ")
    plain, parted, skipped = above + below, len(above), len(marked) - len(above)
    exact = _square(plain)
    if exact and exact.parted == parted:
        return exact.reading
    likely = [(places, found) for places, text in _twins(plain) if (found := _square(text))]
    if not exact and not likely:
        shifted = frozenset(place - skipped for place in possible if place >= skipped)
        return _square_with_look_alikes(plain, parted, shifted)
    for places, found in likely:
        if found.parted == parted:
            return replace(found.reading, exchanged=places)
    if exact:
        return exact.reading
    places, found = likely[0]
    return replace(found.reading, exchanged=places, ambiguous=len(likely) > 1)


def rows_understood(rows: tuple[str, ...], *, possible: frozenset[int] = NOWHERE) -> Reading:
    """The likeliest hypothesis for a plate of rows; a Kazakh one has two, the region first.

    `possible` counts places through all rows.
    """
    kazakh = two_rows(*rows, possible=possible) if len(rows) == 2 else None
    if kazakh:
        return kazakh
    plain = normalised("".join(rows))
    found = next((form for form in FOREIGN_ROWS if form.pattern.match(plain)), None)
    if found is None:
        return _foreign(plain)
    return Reading(plain, found.country, FOREIGN, Owner.FOREIGN)


@dataclass(frozen=True, slots=True)
class _Square:
    reading: Reading
    parted: int
    """Where letters end and digits begin; the rows part there too if nothing was misread."""


def _square(plain: str) -> _Square | None:
    found = SQUARE.match(plain)
    if found is None:
        return None
    region = found["region"]
    parts = [range(*found.span(part)) for part in ("digits", "letters", "region")]
    order = tuple(place for part in parts for place in part)
    text = "".join(plain[place] for place in order)
    kazakh = Reading(text, "KZ", "square", Owner.EITHER, region, automatic_fine=True, order=order)
    return _Square(kazakh, found.end("letters"))


def _kazakh(plain: str, *, marked_kz: bool) -> Reading | None:
    fitting = [
        row for row in KAZAKH_TYPES if (row.proven or marked_kz) and row.pattern.match(plain)
    ]
    if not fitting:
        return None
    first = fitting[0]
    return Reading(
        plain,
        "KZ",
        first.name,
        first.owner,
        _region(plain, first.name),
        first.automatic_fine,
        ambiguous=len(fitting) > 1,
        doubtful=_doubtful(plain, first),
    )


def _doubtful(plain: str, form: PlateType) -> tuple[int, ...]:
    """0 and O in `360NZ11` and `36ONZ11`: a firm's car and a trailer.

    And O and Q: no letter is known to be left out on Kazakh plates, so `588OE18` and `588QE18` are
    two people's cars.
    """
    places = []
    for place, character in enumerate(plain):
        twin = TWINS.get(character)
        other = plain[:place] + twin + plain[place + 1 :] if twin else ""
        of_other_form = any(
            row.pattern.match(other) for row in KAZAKH_TYPES if row.name != form.name
        )
        if of_other_form or character in ROUND_LETTERS:
            places.append(place)
    return tuple(places)


def _foreign(plain: str) -> Reading:
    for form in FOREIGN_FORMS:
        if form.pattern.match(plain):
            return Reading(plain, form.country, FOREIGN, Owner.FOREIGN)
    return Reading(plain, "", "", Owner.UNKNOWN)


def _with_twins(plain: str) -> Iterator[Reading]:
    """Readings that fit a form once look-alikes are exchanged, fewest exchanges first."""
    for chosen, text in _twins(plain):
        found = _kazakh(text, marked_kz=False) or _foreign(text)
        if found.fits:
            yield replace(found, exchanged=chosen)


def _twins(plain: str) -> Iterator[tuple[tuple[int, ...], str]]:
    """The text with twins exchanged, and where, fewest exchanges first."""
    others = {place: TWINS[read] for place, read in enumerate(plain) if read in TWINS}
    return _exchanged(plain, others)


def _look_alikes(
    plain: str, possible: frozenset[int]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], str]]:
    """The text with at least one look-alike exchanged: twins' places, look-alikes' places, text."""
    alike = {place: LOOK_ALIKES[plain[place]] for place in possible if plain[place] in LOOK_ALIKES}
    twins = {place: TWINS[read] for place, read in enumerate(plain) if read in TWINS}
    for chosen, text in _exchanged(plain, twins | alike):
        mended = tuple(place for place in chosen if place in alike)
        if mended:
            yield tuple(place for place in chosen if place not in alike), mended, text


def _exchanged(plain: str, others: Mapping[int, str]) -> Iterator[tuple[tuple[int, ...], str]]:
    """The text with the other character in some of these places, fewest of them first."""
    for count in range(1, MOST_EXCHANGES + 1):
        for chosen in combinations(sorted(others), count):
            characters = list(plain)
            for place in chosen:
                characters[place] = others[place]
            yield chosen, "".join(characters)


def _with_look_alikes(plain: str, possible: frozenset[int]) -> Reading | None:
    """The one Kazakh reading that look-alikes make of it; None where there are several."""
    if _kazakh(plain, marked_kz=True):
        return None  # it may well be what it says: a form that only a KZ mark would prove
    found = {
        text: replace(reading, exchanged=twins, mended=mended)
        for twins, mended, text in _look_alikes(plain, possible)
        if (reading := _kazakh(text, marked_kz=False))
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _square_with_look_alikes(plain: str, parted: int, possible: frozenset[int]) -> Reading | None:
    found = {
        text: replace(square.reading, exchanged=twins, mended=mended)
        for twins, mended, text in _look_alikes(plain, possible)
        if (square := _square(text)) and square.parted == parted
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _without_seal(plain: str) -> Reading | None:
    if _kazakh(plain, marked_kz=True):
        return None  # it may well be a character: a Kazakh form that only a KZ mark would prove
    for form in FOREIGN_FORMS:
        place = form.seal_after
        if place is None or len(plain) <= place or plain[place] not in SEALS:
            continue
        rest = plain[:place] + plain[place + 1 :]
        if form.pattern.match(rest):
            return Reading(rest, form.country, FOREIGN, Owner.FOREIGN, dropped=place)
    return None


def _region(plain: str, name: str) -> str:
    if name.endswith("_1993"):
        return REGIONS_1993.get(plain[0], "")
    return plain[-2:] if re.match(rf"^.*{REGION}$", plain) else ""
