"""The outlines of the regions are their borders in few points."""

import shapely
from law.regions import REGIONS
from law.regions.borders import read_polygons, region_of
from law.regions.outlines import TOLERANCE_DEGREES, outlines


def test_each_region_has_an_outline_near_its_border_and_a_label_within() -> None:
    borders, drawn = read_polygons(), outlines()
    assert drawn.keys() == REGIONS.keys()
    assert sum(len(ring) for each in drawn.values() for ring in each.rings) < 5000
    for code, each in drawn.items():
        outline = shapely.union_all(
            [shapely.make_valid(shapely.Polygon(ring)) for ring in each.rings]
        )
        near = shapely.boundary(borders[code]).buffer(1.1 * TOLERANCE_DEGREES)
        parts = shapely.get_parts(borders[code])
        without_holes = shapely.union_all([shapely.Polygon(part.exterior) for part in parts])
        apart = shapely.symmetric_difference(outline, without_holes)
        assert shapely.difference(apart, near).area < TOLERANCE_DEGREES**2, code
        longitude, latitude = each.label
        found = region_of(latitude, longitude)
        assert found is not None and found.code == code
