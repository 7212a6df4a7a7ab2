"""Derives plates from the character probabilities that the two plate readers return.

Performs no I/O. The text reader reads plates of any country. The Kazakh reader gives a second vote:
if it agrees, a lower confidence suffices; if it does not, nothing changes. The confidence of a
plate is the confidence of its weakest character.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from vision.arrays import Floats
from vision.boxes import Box
from vision.plates.candidates import PlateCandidate
from vision.plates.grammar import (
    LOOK_ALIKES,
    Owner,
    Reading,
    rows_understood,
    understood,
)

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BLANK: Final = 0
_COLUMNS: Final = {character: place + 1 for place, character in enumerate(CHARACTERS)}
LENGTHS: Final = range(5, 10)
PLAUSIBLE: Final = 0.35
"""The mean confidence below which a candidate is not a plate."""
PLAUSIBLE_WORD: Final = 0.85
PLAUSIBLE_WORD_SCORE: Final = 0.6
"""Plates without a digit exist, but most such texts are lettering."""
FEWEST_SEEN: Final = 3
FITTING_BONUS: Final = 1.5
UNFITTING_RANK: Final = 0.7
LEGIBLE_SCORE: Final = 0.5
"""The detection score below which a plate may be read, but is not `legible`."""
LEGIBLE: Final = 0.90
LEGIBLE_AGREED: Final = 0.60
SURE: Final = 0.98
"""Required of a character whose look-alike would turn the plate into another form."""
SETTLED: Final = 0.95
"""The confidence at which one view suffices without the second vote."""
EXCHANGE_COST: Final = 0.95
"""The factor for a character that the form corrected, O to 0 or the reverse."""
SEAL_COST: Final = 0.85
POSSIBLE: Final = 0.1
"""The probability from which a look-alike is considered. When rendered plates were corrected at any
probability, wrong corrections had at most 0.03 (docs/ACCURACY.md)."""


@dataclass(frozen=True, slots=True)
class Characters:
    """A text from a reader, with one confidence (0 to 1) per character.

    The field `alternatives` has, for each character, the probability of its look-alike, such as S
    for 5. The probability is 0 if a character has no look-alike. The field is empty if the
    probabilities are not known.
    """

    text: str
    confidences: tuple[float, ...]
    alternatives: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """The mean confidence of the characters, 0 to 1; 0 for an empty text."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0

    @property
    def weakest(self) -> float:
        """The lowest confidence of a character, 0 to 1; 0 for an empty text."""
        return min(self.confidences, default=0.0)

    @property
    def possible(self) -> frozenset[int]:
        """Indices of characters whose look-alike is probable enough to be considered."""
        places = enumerate(self.alternatives)
        return frozenset(place for place, chance in places if chance >= POSSIBLE)


NO_SECOND_VOTE: Final = Characters("", ())
"""For rows: the Kazakh reader reads plates of one line only."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate that was read. Its form, country and owner are as in `grammar.Reading`.

    The field `confidence` (0 to 1) is the confidence of the weakest character. The field `score` (0
    to 1) is the score of the detected plate. The fields `box` and `corners` are in pixels of the
    original picture.
    """

    text: str
    confidence: float
    character_confidences: tuple[float, ...]
    box: Box
    corners: tuple[tuple[float, float], ...]
    score: float
    country: str
    plate_type: str
    owner: Owner
    automatic_fine: bool
    agreed: bool
    """Whether the Kazakh reader read the same text."""
    legible: bool
    """Whether the plate may be acted upon automatically; if not, it is only a hint for a person."""


def characters(chances: Floats) -> Characters:
    """The likeliest text on one plate (CTC decoding), from probabilities [steps, classes].

    Classes other than letters and digits are dropped.
    """
    best = chances.argmax(1)
    text = ""
    held: list[tuple[float, float]] = []
    previous = BLANK
    for step, column in enumerate(best.tolist()):
        if 0 < column <= len(CHARACTERS):
            read = CHARACTERS[column - 1]
            alike = _COLUMNS.get(LOOK_ALIKES.get(read, ""))
            now = (float(chances[step, column]), float(chances[step, alike]) if alike else 0.0)
            if column != previous:
                text += read
                held.append(now)
            else:
                held[-1] = (max(held[-1][0], now[0]), max(held[-1][1], now[1]))
        previous = column
    confidences, alternatives = zip(*held, strict=True) if held else ((), ())
    return Characters(text, confidences, alternatives)


def worth_reading_again(shots: list[list[Characters]]) -> list[int]:
    """The indices of the possible plates that should be read again, from further crops.

    `shots` has the readings of each possible plate so far. A possible plate should be read again if
    one of its readings has at least three characters.
    """
    return [
        place
        for place, views in enumerate(shots)
        if max((len(shot.text) for shot in views), default=0) >= FEWEST_SEEN
    ]


def settled(candidate: PlateCandidate, views: list[Characters], kazakh: Characters) -> bool:
    """Whether the first reading of a possible plate is so certain that no further crops are read.

    `views` are the readings so far, one for each crop. If there is more than one, the result is
    False. `kazakh` is the reading of the Kazakh reader.
    """
    plate = read(candidate, views, kazakh) if len(views) == 1 else None
    return plate is not None and plate.legible and (plate.agreed or plate.confidence >= SETTLED)


def read(
    candidate: PlateCandidate,
    views: list[Characters],
    kazakh: Characters,
    rows: tuple[list[Characters], ...] = (),
) -> Plate | None:
    """The plate that the readings of one candidate support most; None if the candidate is no plate.

    `views` are the readings as one line, and `kazakh` is the reading of the Kazakh reader. If rows
    were found, `rows` are the readings of each row.
    """
    line = _supported([(view, _understood(view)) for view in views])
    found = [_plate(candidate, *line, kazakh)] if line and _plausible(line[0], candidate) else []
    together = _rows_together(rows)
    alone = [] if together and together[1].fits else [_row_alone(row) for row in rows]
    for chosen in (together, *alone):
        if chosen and chosen[0].mean >= PLAUSIBLE and _mixed(chosen[0].text):
            found.append(_plate(candidate, *chosen, NO_SECOND_VOTE))
    return max(found, key=_rank, default=None)


def _rows_together(rows: tuple[list[Characters], ...]) -> tuple[Characters, Reading] | None:
    """The text of all rows joined that the readings support best; None if there is none."""
    if not rows:
        return None
    joined = []
    for chosen in product(*rows):
        if all(row.text for row in chosen):
            whole = _joined(chosen)
            rows_read = tuple(row.text for row in chosen)
            joined.append((whole, rows_understood(rows_read, possible=whole.possible)))
    return _supported(joined)


def _row_alone(row: list[Characters]) -> tuple[Characters, Reading] | None:
    """The best supported text of one row, as the whole plate: other rows may be small print."""
    return _supported([(view, _understood(view)) for view in row])


def _understood(view: Characters) -> Reading:
    return understood(view.text, possible=view.possible)


def _joined(rows: tuple[Characters, ...]) -> Characters:
    """The rows as one text. It has no alternatives if those of any row are not known."""
    known = all(len(row.alternatives) == len(row.text) for row in rows)
    return Characters(
        "".join(row.text for row in rows),
        tuple(value for row in rows for value in row.confidences),
        tuple(value for row in rows for value in row.alternatives) if known else (),
    )


def _supported(views: list[tuple[Characters, Reading]]) -> tuple[Characters, Reading] | None:
    """The most confident view of the best supported text, None without a plausible text."""
    support: dict[str, float] = defaultdict(float)
    best: dict[str, tuple[Characters, Reading]] = {}
    for view, reading in views:
        if len(view.text) in LENGTHS:
            support[view.text] += view.weakest / len(views)
            if view.text not in best or view.weakest > best[view.text][0].weakest:
                best[view.text] = (view, reading)
    if not best:
        return None
    return max(
        best.values(),
        key=lambda chosen: (_weight(chosen[1], support[chosen[0].text]), len(chosen[0].text)),
    )


def _mixed(text: str) -> bool:
    """Whether a text has both letters and digits; a row with only one kind is often lettering."""
    return not (text.isalpha() or text.isdigit())


def ranked(plates: list[Plate]) -> list[Plate]:
    """Sort plates, most trusted first: all legible ones, then the others.

    Within each group, plates are ordered by mean confidence times detection score. This product is
    lowered for a text that fits no form.
    """
    return sorted(plates, key=lambda plate: (plate.legible, _rank(plate)), reverse=True)


def _weight(reading: Reading, support: float) -> float:
    return round(support * (FITTING_BONUS if reading.fits else 1.0), 2)


def _plate(
    candidate: PlateCandidate, view: Characters, reading: Reading, kazakh: Characters
) -> Plate:
    confidences = _confidences(reading, view)
    agreed = reading.country == "KZ" and reading.text == kazakh.text
    weakest = min(confidences)
    enough = (
        candidate.score >= LEGIBLE_SCORE
        and weakest >= (LEGIBLE_AGREED if agreed else LEGIBLE)
        and all(confidences[place] >= (LEGIBLE if agreed else SURE) for place in reading.doubtful)
    )
    return Plate(
        reading.text,
        weakest,
        confidences,
        candidate.box,
        tuple((float(x), float(y)) for x, y in candidate.corners),
        candidate.score,
        reading.country,
        reading.plate_type,
        reading.owner,
        reading.automatic_fine,
        agreed,
        legible=enough and reading.fits and not reading.ambiguous,
    )


def _confidences(reading: Reading, view: Characters) -> tuple[float, ...]:
    """The confidence of each character of the reading; it is lower for corrected characters."""
    confidences = list(view.confidences)
    skipped = len(confidences) - len(reading.order) if reading.order else 0  # a KZ mark
    for place in reading.exchanged:
        confidences[skipped + place] *= EXCHANGE_COST
    for place in reading.mended:
        confidences[skipped + place] = view.alternatives[skipped + place]
    if reading.order:
        return tuple(confidences[skipped + place] for place in reading.order)
    if reading.dropped is not None:
        del confidences[reading.dropped]
        confidences = [confidence * SEAL_COST for confidence in confidences]
    return tuple(confidences[-len(reading.text) :])  # a KZ mark at the left was removed


def _plausible(view: Characters, candidate: PlateCandidate) -> bool:
    if any(character.isdigit() for character in view.text):
        return view.mean >= PLAUSIBLE
    return view.mean >= PLAUSIBLE_WORD and candidate.score >= PLAUSIBLE_WORD_SCORE


def _rank(plate: Plate) -> float:
    fits = 1.0 if plate.plate_type else UNFITTING_RANK
    return _mean(plate) * plate.score * fits


def _mean(plate: Plate) -> float:
    return float(np.mean(plate.character_confidences))
