"""Converts requests to list cameras, or to find the nearest ones, into filters."""

import re
from typing import Any

from chassis.fields import check_enums, check_point, check_text, enum_of
from chassis.refusals import Checks, checks
from law.identity_numbers import has_check_digit, is_bin
from tartip.cameras.v1 import cameras_pb2 as pb

from camera_registry.letters import in_order
from camera_registry.model.area import (
    Area,
    Box,
    Circle,
    Polygon,
    check_box,
    check_circle,
    check_polygon,
)
from camera_registry.model.description import TEXT_MAX, AiFunction, CameraKind, SiteCategory
from camera_registry.storage.search import Filters

NEAREST_MAX = 50
_KATO_PREFIX = re.compile(r"[0-9]{2,9}")
_AREAS = ("area", "box", "polygon")


def read_more_filters(check: Checks, request: pb.ListCamerasRequest) -> dict[str, Any]:
    """Return arguments for `Filters`: area, owner, site category, text, KATO prefix and order.

    KATO is the classification of Kazakhstan's administrative areas by numeric codes. Every invalid
    field is added to `check`. A polygon that crosses itself is added with the code POLYGON_CROSSES.
    """
    areas = _read_areas(check, request)
    check_enums(
        check,
        (
            ("site_category", request.site_category, pb.SiteCategory),
            ("order", request.order, pb.CameraOrder),
        ),
    )
    by_name = request.order == pb.CAMERA_ORDER_NAME
    check.that(not (areas and by_name), "order", "by id, where an area, box or polygon is given")
    owner = request.owner_bin
    check.that(not owner or (is_bin(owner) and has_check_digit(owner)), "owner_bin", "a BIN")
    check_text(check, "text", request.text, longest=TEXT_MAX)
    check.that(not request.text or bool(in_order(request.text)), "text", "with letters or digits")
    kato = request.kato_prefix
    check.that(not kato or bool(_KATO_PREFIX.fullmatch(kato)), "kato_prefix", "2 to 9 digits")
    return {
        **areas,
        "owner_bin": owner,
        "site_category": enum_of(SiteCategory, pb.SiteCategory, request.site_category),
        "text": request.text,
        "kato_prefix": kato,
        "by_name": by_name,
    }


def _read_areas(check: Checks, request: pb.ListCamerasRequest) -> dict[str, Area]:
    """The area of a list by the name of its filter, if there is one."""
    given = [name for name in _AREAS if request.HasField(name)]  # type: ignore[arg-type]
    for name in given[1:]:
        check.wrong(name, "at most one of area, box and polygon")
    found: dict[str, Area] = {}
    if "area" in given:
        area = request.area
        found["circle"] = circle = Circle(area.latitude, area.longitude, area.radius_metres)
        check_circle(check, circle)
    if "box" in given:
        box = request.box
        found["box"] = edges = Box(box.south, box.west, box.north, box.east)
        check_box(check, edges)
    if "polygon" in given:
        points = tuple((point.latitude, point.longitude) for point in request.polygon.points)
        found["polygon"] = polygon = Polygon(points)
        check_polygon(check, polygon)
    return found


def read_nearest(request: pb.FindNearestCamerasRequest) -> tuple[Circle, Filters]:
    """Return the centre and the filters of a search for the nearest cameras.

    The centre is a circle without extent. Raises BadRequest with every invalid field.
    """
    with checks() as check:
        check_point(check, "", latitude=request.latitude, longitude=request.longitude)
        check.that(1 <= request.count <= NEAREST_MAX, "count", f"1 to {NEAREST_MAX}")
        check_enums(
            check,
            (
                ("function", request.function, pb.AiFunction),
                ("kind", request.kind, pb.CameraKind),
            ),
        )
    return Circle(request.latitude, request.longitude, 0.0), Filters(
        function=enum_of(AiFunction, pb.AiFunction, request.function),
        kind=enum_of(CameraKind, pb.CameraKind, request.kind),
    )
