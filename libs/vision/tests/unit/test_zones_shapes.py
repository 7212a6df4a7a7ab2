"""Places on a picture: what can be watched, and who stands where."""

import pytest
from vision.boxes import Box
from vision.zones.shapes import (
    WHOLE_PICTURE,
    FrameSize,
    Line,
    PlaceUnusable,
    Point,
    Polygon,
)

BOW_TIE = (Point(0.1, 0.1), Point(0.9, 0.9), Point(0.9, 0.1), Point(0.1, 0.8))


@pytest.mark.parametrize(
    "corners",
    [
        (Point(0, 0), Point(1, 1)),
        (Point(0, 0), Point(1, 1), Point(0, 0)),
        (Point(0, 0), Point(0.5, 0.5), Point(1, 1)),
        (Point(0, 0), Point(1, 0), Point(1, 1.2)),
        (Point(0, 0), Point(1, 0), Point(1, float("nan"))),
        BOW_TIE,
    ],
)
def test_polygon_that_cannot_be_watched_is_refused(corners: tuple[Point, ...]) -> None:
    with pytest.raises(PlaceUnusable):
        Polygon("gate", corners)


def test_line_without_length_is_refused() -> None:
    with pytest.raises(PlaceUnusable):
        Line("stop", Point(0.5, 0.5), Point(0.5, 0.5))


def test_notch_of_a_polygon_is_outside() -> None:
    corners = (Point(0, 0), Point(1, 0), Point(1, 1), Point(0.5, 0.2), Point(0, 1))
    polygon = Polygon("yard", corners)
    assert polygon.holds(Point(0.1, 0.5))
    assert not polygon.holds(Point(0.5, 0.5))


def test_somebody_stands_where_the_feet_are() -> None:
    frame = FrameSize(200, 100)
    assert frame.foot(Box(90, 20, 20, 60)) == Point(0.5, 0.8)
    assert frame.middle(Box(90, 20, 20, 60)) == Point(0.5, 0.5)
    assert WHOLE_PICTURE.area == 1


def test_way_beside_the_end_of_a_line_does_not_cross_it() -> None:
    line = Line("stop", Point(0.2, 0.5), Point(0.6, 0.5))
    assert line.is_crossed(Point(0.3, 0.4), Point(0.3, 0.6))
    assert not line.is_crossed(Point(0.7, 0.4), Point(0.7, 0.6))
    assert line.side(Point(0.3, 0.6)) > 0 > line.side(Point(0.3, 0.4))
