"""The crops of plate candidates for the reader, in one batch, and the texts back to each. Pure.

A candidate is read as one line; if it seems to have rows, each row is read as well.
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
"""The largest batch of the reader."""


@dataclass(frozen=True, slots=True)
class Views:
    """The views in which candidates are read: as one line, obliquely, and each row.

    A candidate with rows is also read once as one line.
    """

    line: tuple[View, ...]
    row: tuple[View, ...]
    line_with_rows: tuple[View, ...] = ()
    oblique: tuple[View, ...] = ()

    def of_line(self, shown: "PlateLayout") -> tuple[View, ...]:
        """The views in which a candidate is shown as one line."""
        if shown.spans:
            return self.line_with_rows
        narrow = aspect(shown.candidate.corners) < OBLIQUE
        return self.oblique if narrow else self.line

    def count(self, shown: "PlateLayout") -> int:
        """How many crops a candidate takes up in the reader's batch."""
        return len(self.of_line(shown)) + len(self.row) * len(shown.spans)


FIRST: Final = Views((WHOLE,), (FIRST_ROW_VIEW,), (WHOLE,), (WHOLE,))
MORE: Final = Views(MORE_VIEWS, MORE_ROW_VIEWS, (), OBLIQUE_VIEWS)


@dataclass(frozen=True, slots=True)
class PlateLayout:
    """A candidate and the spans of its rows; without spans it has one line."""

    candidate: PlateCandidate
    spans: tuple[Span, ...]
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Texts:
    """The readings of one candidate: as one line, and row by row."""

    line: list[Characters]
    rows: tuple[list[Characters], ...]

    @property
    def all(self) -> list[Characters]:
        """All readings: of the line first, then of each row from above."""
        return [*self.line, *(text for row in self.rows for text in row)]

    def with_more(self, other: "Texts") -> "Texts":
        """These readings and those of further views; in each row the further ones come first."""
        rows = zip(self.rows, other.rows, strict=True)
        return Texts(self.line + other.line, tuple(more + mine for mine, more in rows))


def of(picture: Picture, candidates: list[PlateCandidate]) -> list[PlateLayout]:
    """Find the rows of each candidate in the picture; returns one layout for each, in the same
    order."""
    found = [rows_of(picture, seen.corners) for seen in candidates]
    return [
        PlateLayout(seen, rows.spans, rows.tilt)
        for seen, rows in zip(candidates, found, strict=True)
    ]


def affordable(shown: list[PlateLayout]) -> list[PlateLayout]:
    """As many of the first candidates as fit into one batch with all further views."""
    kept, crops_in_all = [], 0
    for one in shown:
        crops_in_all += MORE.count(one)
        if crops_in_all > MOST_CROPS:
            break
        kept.append(one)
    return kept


def crops(picture: Picture, shown: PlateLayout, views: Views) -> list[Picture]:
    """The crops of a candidate: views of the line first, then each view of the rows from above."""
    line = [rectified(picture, shown.candidate.corners, view) for view in views.of_line(shown)]
    level = tilted(shown.candidate.corners, shown.tilt)
    rows = [crop for view in views.row for crop in row_pictures(picture, level, shown.spans, view)]
    return line + rows


def texts(answers: list[Characters], shown: list[PlateLayout], views: Views) -> list[Texts]:
    """The reader's answers to the `crops` of all candidates, divided among them."""
    result, start = [], 0
    for one in shown:
        mine = answers[start : start + views.count(one)]
        start += len(mine)
        rows = len(one.spans)
        lines = len(views.of_line(one))
        line, below = mine[:lines], mine[lines:]
        result.append(Texts(line, tuple(below[row::rows] for row in range(rows))))
    return result
