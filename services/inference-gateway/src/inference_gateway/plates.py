"""From the readers' chances to plates: characters, confidence, and which candidates are plates.

Pure. The text reader knows plates of any country; the Kazakh reader is a second voter and can only
agree. The weakest character decides how far a plate may be trusted.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference_gateway.geometry import Box, Floats
from inference_gateway.grammar import Owner, Reading, understood
from inference_gateway.pipeline import CHARACTERS, Candidate

BLANK: Final = 0
LENGTHS: Final = range(5, 10)
PLAUSIBLE: Final = 0.35
"""Mean confidence below which a candidate is taken for no plate at all."""
PLAUSIBLE_WORD: Final = 0.85
PLAUSIBLE_WORD_SCORE: Final = 0.6
"""Plates without a digit exist, but most such texts are lettering."""
FEWEST_SEEN: Final = 3
FITTING_BONUS: Final = 1.5
UNFITTING_RANK: Final = 0.7
LEGIBLE: Final = 0.90
LEGIBLE_AGREED: Final = 0.60
EXCHANGE_COST: Final = 0.95
"""The form settles O or 0; still the reader saw the other."""
SEAL_COST: Final = 0.85


@dataclass(frozen=True, slots=True)
class Characters:
    """What a reader saw, one confidence a character."""

    text: str
    confidences: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0

    @property
    def weakest(self) -> float:
        return min(self.confidences, default=0.0)


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate that was read, in pixels of the picture as given."""

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
    """The second voter read the same."""
    legible: bool
    """May be acted upon; otherwise it is only a hint for a person."""


def characters(chances: Floats) -> Characters:
    """The likeliest text of one plate from [steps, classes]; what is no letter or digit drops."""
    best = chances.argmax(1)
    text, confidences = "", []
    previous = BLANK
    for step, column in enumerate(best.tolist()):
        chance = float(chances[step, column])
        if 0 < column <= len(CHARACTERS):
            if column != previous:
                text += CHARACTERS[column - 1]
                confidences.append(chance)
            else:
                confidences[-1] = max(confidences[-1], chance)
        previous = column
    return Characters(text, tuple(confidences))


def worth_reading_again(chances: Floats) -> list[int]:
    """Which of the candidates showed enough characters to look at them in more views."""
    return [
        place for place, seen in enumerate(chances) if len(characters(seen).text) >= FEWEST_SEEN
    ]


def read(candidate: Candidate, views: list[Characters], kazakh: Characters) -> Plate | None:
    """The plate that the views of one candidate support most; None when it is none."""
    support: dict[str, float] = defaultdict(float)
    seen: dict[str, Characters] = {}
    for view in views:
        if len(view.text) in LENGTHS:
            support[view.text] += view.weakest / len(views)
            if view.text not in seen or view.weakest > seen[view.text].weakest:
                seen[view.text] = view
    chosen = max(seen, key=lambda text: (_weight(text, support[text]), len(text)), default="")
    if not chosen or not _plausible(seen[chosen], candidate):
        return None
    return _plate(candidate, seen[chosen], kazakh)


def ranked(plates: list[Plate]) -> list[Plate]:
    """Most trustworthy first."""
    return sorted(plates, key=_rank, reverse=True)


def _weight(text: str, support: float) -> float:
    return round(support * (FITTING_BONUS if understood(text).fits else 1.0), 2)


def _plate(candidate: Candidate, seen: Characters, kazakh: Characters) -> Plate:
    reading = understood(seen.text)
    confidences = _confidences(reading, seen)
    agreed = reading.country == "KZ" and reading.text == kazakh.text
    weakest = min(confidences)
    enough = weakest >= (LEGIBLE_AGREED if agreed else LEGIBLE)
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


def _confidences(reading: Reading, seen: Characters) -> tuple[float, ...]:
    """One a character of the reading; what was concluded and not read costs some."""
    confidences = list(seen.confidences)
    for place in reading.exchanged:
        confidences[place] *= EXCHANGE_COST
    if reading.dropped is not None:
        del confidences[reading.dropped]
        confidences = [confidence * SEAL_COST for confidence in confidences]
    return tuple(confidences[-len(reading.text) :])  # a KZ mark at the left was taken off


def _plausible(seen: Characters, candidate: Candidate) -> bool:
    if any(character.isdigit() for character in seen.text):
        return seen.mean >= PLAUSIBLE
    return seen.mean >= PLAUSIBLE_WORD and candidate.score >= PLAUSIBLE_WORD_SCORE


def _rank(plate: Plate) -> float:
    fits = 1.0 if plate.plate_type else UNFITTING_RANK
    return _mean(plate) * plate.score * fits


def _mean(plate: Plate) -> float:
    return float(np.mean(plate.character_confidences))
