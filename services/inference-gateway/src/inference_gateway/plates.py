"""From the readers' chances to plates: characters, confidence, and which candidates are plates.

Pure. The text reader knows plates of any country; the Kazakh reader is a second voter and can only
agree. The weakest character decides how far a plate may be trusted.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from inference_gateway.geometry import Box, Floats
from inference_gateway.grammar import Owner, Reading, understood, with_twins
from inference_gateway.pipeline import CHARACTERS, Candidate

BLANK: Final = 0
LENGTHS: Final = range(5, 10)
PLAUSIBLE: Final = 0.35
"""Mean confidence below which a candidate is taken for no plate at all."""
LEGIBLE: Final = 0.80
LEGIBLE_AGREED: Final = 0.60
EXCHANGE_COST: Final = 0.9


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


def read(
    candidates: list[Candidate], chances: Floats, kazakh_chances: Floats
) -> list[Plate]:
    """The candidates that are plates, most trustworthy first."""
    plates = []
    for candidate, text_chances, kz_chances in zip(
        candidates, chances, kazakh_chances, strict=True
    ):
        plate = _plate(candidate, characters(text_chances), characters(kz_chances))
        if plate is not None:
            plates.append(plate)
    return sorted(plates, key=lambda plate: -_mean(plate) * plate.score)


def _plate(candidate: Candidate, seen: Characters, kazakh: Characters) -> Plate | None:
    if not _plausible(seen):
        return None
    reading, confidences = _reading(seen)
    if len(reading.text) < len(confidences):  # a KZ mark was read and taken off
        confidences = confidences[-len(reading.text) :]
    agreed = reading.country == "KZ" and reading.text == kazakh.text
    weakest = min(confidences)
    legible = weakest >= (LEGIBLE_AGREED if agreed else LEGIBLE) and not reading.ambiguous
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
        legible,
    )


def _plausible(seen: Characters) -> bool:
    digits = sum(character.isdigit() for character in seen.text)
    return len(seen.text) in LENGTHS and digits > 0 and seen.mean >= PLAUSIBLE


def _reading(seen: Characters) -> tuple[Reading, tuple[float, ...]]:
    """The text as read where it fits a country; else with twins exchanged, at a price."""
    direct = understood(seen.text)
    if direct.country:
        return direct, seen.confidences
    for exchanged in with_twins(seen.text):
        confidences = tuple(
            confidence * EXCHANGE_COST if place in exchanged.exchanged else confidence
            for place, confidence in enumerate(seen.confidences)
        )
        return exchanged, confidences
    return direct, seen.confidences


def _mean(plate: Plate) -> float:
    return float(np.mean(plate.character_confidences))
