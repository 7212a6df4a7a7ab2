"""The plate forms of Kazakhstan and abroad, and the interpretation of a plate's text by them.

A text is first interpreted without corrections. A text that fits no Kazakh form is not forced into
one. Similar characters are exchanged only if a form requires it, and the exchange is reported. O
and 0, I and 1 have the same shape on many plates. Z and 2, B and 8, S and 5, G and 6 differ. So
they are exchanged only if the reader gave the other character some probability. Without this
condition, a trailer's 29SLF02 would become a car's 295LF02.
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
    """The kind of owner that a plate form indicates. Only the vehicle register is authoritative."""

    PERSON = "person"
    ENTITY = "entity"
    EITHER = "either"
    FOREIGN = "foreign"
    SERVICE = "service"
    IMMUNITY = "immunity"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PlateType:
    """A Kazakh plate form: the pattern of the plate's text, and what the form says about the
    vehicle.

    The field `proven` is false if the form is not documented in any source. Such a form is accepted
    only on a plate with a KZ mark. The field `automatic_fine` says whether the vehicle may be fined
    automatically.
    """

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
"""The regions of first letters of 1993 plates; O and W are missing, for they had several."""


@dataclass(frozen=True, slots=True)
class ForeignForm:
    """A foreign plate form. The field `country` is "" if several countries share the form.

    Some plates have a round sticker, which readers take for a character. The field `seal_after` is
    the number of characters before the sticker. It is None if such plates have no sticker.
    """

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
"""Foreign forms that occur only on plates of several rows; the pattern is of all rows joined."""
FOREIGN: Final = "foreign"
SEALS: Final = frozenset("8B3S0")


@dataclass(frozen=True, slots=True)
class Reading:
    """An interpretation of a plate's text: the corrected text, and what its form implies.

    The field `country` is "" if the country is unknown or several countries share the form. The
    field `plate_type` is "" if no form fits. The field `ambiguous` says whether another
    interpretation fits as well.
    """

    text: str
    country: str
    plate_type: str
    owner: Owner
    region: str = ""
    automatic_fine: bool = False
    ambiguous: bool = False
    exchanged: tuple[int, ...] = ()
    """Indices of characters exchanged for one of the same shape (a twin), such as O for 0."""
    mended: tuple[int, ...] = ()
    """Indices of characters exchanged for a look-alike that the reader considered possible."""
    dropped: int | None = None
    """The index in the text as read of a sticker that was taken for a character."""
    doubtful: tuple[int, ...] = ()
    """Indices whose twin would give another Kazakh form, so that only the reader decides."""
    order: tuple[int, ...] = ()
    """The index of each character in the text as read; empty if nothing was reordered."""

    @property
    def fits(self) -> bool:
        """Whether the text fits a known form of any country."""
        return bool(self.country) or self.plate_type == FOREIGN


def normalised(text: str) -> str:
    """The text in upper case with Latin letters and digits only, Cyrillic look-alikes converted."""
    return re.sub(r"[^A-Z0-9]", "", text.upper().translate(CYRILLIC))


def understood(
    text: str, *, marked_kz: bool = False, possible: frozenset[int] = NOWHERE
) -> Reading:
    """The likeliest interpretation of the text of a plate with one line.

    If no form fits, the result's `fits` is false. `marked_kz` says that the plate has a KZ mark:
    then forms that no source documents are accepted too. `possible` has the indices of characters
    that may be exchanged for a look-alike (Z and 2, B and 8, S and 5, G and 6). The reader gave
    these look-alikes some probability.
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
    """Interpret the text of a plate of two rows as a square Kazakh plate; None if no such form
    fits.

    The upper row begins with the region. The resulting text is in the order of a plate with one
    line: digits, letters, region. `possible` is as in `understood`, with positions in `upper +
    lower`.
    """
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
    """The likeliest interpretation of a plate of several rows, given from top to bottom.

    Only a plate of two rows can be Kazakh. `possible` is as in `understood`, with positions in the
    joined text of all rows.
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
    """The index where digits begin; if nothing was misread, also that of the lower row."""


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
    """The indices of doubtful characters: every O and Q, and each character whose twin would give
    another form. An example is 0 and O in `360NZ11` (a firm's car) and `36ONZ11` (a trailer).

    No letter is known to be excluded on Kazakh plates: `588OE18` and `588QE18` may both exist.
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
    """Interpretations that fit a form after twins were exchanged, fewest exchanges first."""
    for chosen, text in _twins(plain):
        found = _kazakh(text, marked_kz=False) or _foreign(text)
        if found.fits:
            yield replace(found, exchanged=chosen)


def _twins(plain: str) -> Iterator[tuple[tuple[int, ...], str]]:
    """The indices of exchanged twins with the resulting text, fewest exchanges first."""
    others = {place: TWINS[read] for place, read in enumerate(plain) if read in TWINS}
    return _exchanged(plain, others)


def _look_alikes(
    plain: str, possible: frozenset[int]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], str]]:
    """The indices of exchanged twins, those of exchanged look-alikes and the resulting text, for
    each combination with at least one look-alike."""
    alike = {place: LOOK_ALIKES[plain[place]] for place in possible if plain[place] in LOOK_ALIKES}
    twins = {place: TWINS[read] for place, read in enumerate(plain) if read in TWINS}
    for chosen, text in _exchanged(plain, twins | alike):
        mended = tuple(place for place in chosen if place in alike)
        if mended:
            yield tuple(place for place in chosen if place not in alike), mended, text


def _exchanged(plain: str, others: Mapping[int, str]) -> Iterator[tuple[tuple[int, ...], str]]:
    """The indices of replaced characters with the resulting text, fewest replacements first.
    `others` has the replacement for each index."""
    for count in range(1, MOST_EXCHANGES + 1):
        for chosen in combinations(sorted(others), count):
            characters = list(plain)
            for place in chosen:
                characters[place] = others[place]
            yield chosen, "".join(characters)


def _with_look_alikes(plain: str, possible: frozenset[int]) -> Reading | None:
    """The Kazakh interpretation with look-alikes exchanged; None unless there is exactly one."""
    if _kazakh(plain, marked_kz=True):
        return None  # it may be right as read: a form that only a KZ mark would prove
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
        return None  # it may be a character: a Kazakh form that only a KZ mark would prove
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
