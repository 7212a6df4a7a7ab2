"""Crops plate candidates for the text reader, and assigns the texts read to the candidates.

Performs no I/O. Every candidate is read as one line. If rows were found on a candidate, each row is
read as well.
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
    """The views in which candidates are read. A view is a crop with certain margins.

    If rows were found on a candidate, each row is read in the views `row`. Every candidate is also
    read as one line: in `line_with_rows` if rows were found, else in `oblique` if it is narrow,
    else in `line`.
    """

    line: tuple[View, ...]
    row: tuple[View, ...]
    line_with_rows: tuple[View, ...] = ()
    oblique: tuple[View, ...] = ()

    def of_line(self, shown: "PlateLayout") -> tuple[View, ...]:
        """Return the views in which a candidate is read as one line; `shown` is the candidate's
        layout."""
        if shown.spans:
            return self.line_with_rows
        narrow = aspect(shown.candidate.corners) < OBLIQUE
        return self.oblique if narrow else self.line

    def count(self, shown: "PlateLayout") -> int:
        """Return how many crops are made of a candidate; `shown` is the candidate's layout."""
        return len(self.of_line(shown)) + len(self.row) * len(shown.spans)


FIRST: Final = Views((WHOLE,), (FIRST_ROW_VIEW,), (WHOLE,), (WHOLE,))
MORE: Final = Views(MORE_VIEWS, MORE_ROW_VIEWS, (), OBLIQUE_VIEWS)


@dataclass(frozen=True, slots=True)
class PlateLayout:
    """A candidate and its rows. The fields `spans` and `tilt` are as in `Rows`.

    If the candidate has one line, `spans` is empty.
    """

    candidate: PlateCandidate
    spans: tuple[Span, ...]
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Texts:
    """The readings (texts read) of one plate candidate.

    The field `line` has the readings of the candidate as one line, one for each view. The field
    `rows` has a list for each row, from the top. Each list has the row's readings, one for each
    view.
    """

    line: list[Characters]
    rows: tuple[list[Characters], ...]

    @property
    def all(self) -> list[Characters]:
        """All readings: first the readings as one line, then those of each row from the top."""
        return [*self.line, *(text for row in self.rows for text in row)]

    def with_more(self, other: "Texts") -> "Texts":
        """Return these readings together with `other`, further readings of the same candidate.

        Both must have the same number of rows. The readings of `other` come last in `line`, but
        first in each list of `rows`. The order decides between texts that the readings support
        equally: the first is chosen.
        """
        rows = zip(self.rows, other.rows, strict=True)
        return Texts(self.line + other.line, tuple(more + mine for mine, more in rows))


def of(picture: Picture, candidates: list[PlateCandidate]) -> list[PlateLayout]:
    """Find the rows of each candidate in the picture.

    Returns one layout for each candidate, in the same order.
    """
    found = [rows_of(picture, candidate.corners) for candidate in candidates]
    return [
        PlateLayout(candidate, rows.spans, rows.tilt)
        for candidate, rows in zip(candidates, found, strict=True)
    ]


def affordable(shown: list[PlateLayout]) -> list[PlateLayout]:
    """Return as many of the first layouts in `shown` as fit in one batch of the text reader.

    Layouts fit if they have at most `MOST_CROPS` crops in all in the views `MORE`.
    """
    fitting, crops_in_all = [], 0
    for layout in shown:
        crops_in_all += MORE.count(layout)
        if crops_in_all > MOST_CROPS:
            break
        fitting.append(layout)
    return fitting


def crops(picture: Picture, shown: PlateLayout, views: Views) -> list[Picture]:
    """The crops of a candidate, to be read in the given views; `shown` is the candidate's layout.

    The crops of the candidate as one line come first. The crops of its rows come next, ordered by
    view. For each view, they are ordered from the top row to the lowest.
    """
    line = [rectified(picture, shown.candidate.corners, view) for view in views.of_line(shown)]
    level = tilted(shown.candidate.corners, shown.tilt)
    rows = [crop for view in views.row for crop in row_pictures(picture, level, shown.spans, view)]
    return line + rows


def texts(answers: list[Characters], shown: list[PlateLayout], views: Views) -> list[Texts]:
    """Return the readings of one candidate for each layout in `shown`, in the order of `shown`.

    `answers` has the text reader's text for each crop. The crops must be those that `crops`
    returned for each layout, in the order of `shown`, with these `views`.
    """
    result, start = [], 0
    for layout in shown:
        mine = answers[start : start + views.count(layout)]
        start += len(mine)
        rows = len(layout.spans)
        lines = len(views.of_line(layout))
        line, below = mine[:lines], mine[lines:]
        result.append(Texts(line, tuple(below[row::rows] for row in range(rows))))
    return result
