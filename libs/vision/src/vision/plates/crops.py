"""Crops plate candidates for the text reader, in one batch, and assigns its texts to them. Pure.

Every candidate is read as one line. If rows were found on a candidate, each row is read as well.
"""

from dataclasses import dataclass
from typing import Final

from vision.arrays import Picture
from vision.plates.candidates import PlateCandidate
from vision.plates.reading import Characters
from vision.plates.rows import (
    FIRST_ROW_VIEW,
    MORE_ROW_VIEWS,
    Span,
    row_pictures,
    rows_of,
    tilted,
)
from vision.plates.views import (
    MORE_VIEWS,
    OBLIQUE,
    OBLIQUE_VIEWS,
    WHOLE,
    View,
    aspect,
    rectified,
)

MOST_CROPS: Final = 48
"""The most crops that the text reader takes in one batch."""


@dataclass(frozen=True, slots=True)
class Views:
    """The views in which candidates are read: `line` as one line, `oblique` as one line if the
    candidate is narrow, `row` for each row, `line_with_rows` as one line if the candidate has
    rows."""

    line: tuple[View, ...]
    row: tuple[View, ...]
    line_with_rows: tuple[View, ...] = ()
    oblique: tuple[View, ...] = ()

    def of_line(self, shown: "PlateLayout") -> tuple[View, ...]:
        """Return the views in which a candidate is read as one line."""
        if shown.spans:
            return self.line_with_rows
        narrow = aspect(shown.candidate.corners) < OBLIQUE
        return self.oblique if narrow else self.line

    def count(self, shown: "PlateLayout") -> int:
        """Return the number of crops that a candidate takes up in the reader's batch."""
        return len(self.of_line(shown)) + len(self.row) * len(shown.spans)


FIRST: Final = Views((WHOLE,), (FIRST_ROW_VIEW,), (WHOLE,), (WHOLE,))
MORE: Final = Views(MORE_VIEWS, MORE_ROW_VIEWS, (), OBLIQUE_VIEWS)


@dataclass(frozen=True, slots=True)
class PlateLayout:
    """A candidate with its rows; `spans` is empty if it has one line. `tilt` is that of `Rows`."""

    candidate: PlateCandidate
    spans: tuple[Span, ...]
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Texts:
    """The readings of one candidate: as one line, and of each row from the top."""

    line: list[Characters]
    rows: tuple[list[Characters], ...]

    @property
    def all(self) -> list[Characters]:
        """All readings: of the line first, then of each row from the top."""
        return [*self.line, *(text for row in self.rows for text in row)]

    def with_more(self, other: "Texts") -> "Texts":
        """Return these readings joined with `other`, whose readings come first in each row."""
        rows = zip(self.rows, other.rows, strict=True)
        return Texts(self.line + other.line, tuple(more + mine for mine, more in rows))


def of(picture: Picture, candidates: list[PlateCandidate]) -> list[PlateLayout]:
    """Return a layout for each candidate, in the same order, with the rows found in the picture."""
    found = [rows_of(picture, candidate.corners) for candidate in candidates]
    return [
        PlateLayout(candidate, rows.spans, rows.tilt)
        for candidate, rows in zip(candidates, found, strict=True)
    ]


def affordable(shown: list[PlateLayout]) -> list[PlateLayout]:
    """Return as many candidates, from the first, as have their further views fit into one batch."""
    fitting, crops_in_all = [], 0
    for layout in shown:
        crops_in_all += MORE.count(layout)
        if crops_in_all > MOST_CROPS:
            break
        fitting.append(layout)
    return fitting


def crops(picture: Picture, shown: PlateLayout, views: Views) -> list[Picture]:
    """Return a candidate's crops: views of the line, then for each view all rows from the top."""
    line = [rectified(picture, shown.candidate.corners, view) for view in views.of_line(shown)]
    level = tilted(shown.candidate.corners, shown.tilt)
    rows = [crop for view in views.row for crop in row_pictures(picture, level, shown.spans, view)]
    return line + rows


def texts(answers: list[Characters], shown: list[PlateLayout], views: Views) -> list[Texts]:
    """Return the texts of each candidate in `shown`, from the reader's answers to the `crops` of
    all of them, in the same order and with the same views."""
    result, start = [], 0
    for layout in shown:
        mine = answers[start : start + views.count(layout)]
        start += len(mine)
        rows = len(layout.spans)
        lines = len(views.of_line(layout))
        line, below = mine[:lines], mine[lines:]
        result.append(Texts(line, tuple(below[row::rows] for row in range(rows))))
    return result
