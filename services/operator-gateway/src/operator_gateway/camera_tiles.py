"""Encodes cameras on a map as vector tiles (Mapbox Vector Tile Specification 2.1).

A point of the layer `clusters` has the number of its cameras, in total and by status. A point of
the layer `cameras` is a single camera with id, status and, from zoom 16 on, kind.
https://github.com/mapbox/vector-tile-spec/tree/master/2.1
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tartip.cameras.v1 import cameras_pb2
from tartip.tiles.v1.tiles_pb2 import VectorTile

from operator_gateway.mapping import short_names

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
ZOOM_MAX = 22
# From zoom 16 on the register answers the cameras of a tile one by one, if they are not more.
SINGLES_MAX = 500
EXTENT = 4096
_STATUSES = ("online", "degraded", "offline", "tampered", "unknown")
# One MoveTo (4.3.1), which begins the geometry of a point.
_MOVE_TO = 1 | 1 << 3
# The register answers places in units of a ten-millionth: none may fall between two tiles.
_MARGIN_DEGREES = 1e-6


@dataclass(frozen=True)
class Tile:
    """A square of the map in Web Mercator (EPSG:3857). `x` is its column, counted eastwards from 0,
    `y` its row, counted southwards from 0."""

    zoom: int
    x: int
    y: int

    @property
    def box(self) -> cameras_pb2.Box:
        """The tile's edges in degrees, with a margin of about 10 cm."""
        west, east = (each / 2**self.zoom * 360 - 180 for each in (self.x, self.x + 1))
        north, south = (_latitude(each / 2**self.zoom) for each in (self.y, self.y + 1))
        margin = _MARGIN_DEGREES
        return cameras_pb2.Box(
            south=south - margin,
            west=max(-180.0, west - margin),
            north=north + margin,
            east=min(180.0, east + margin),
        )

    def position(self, latitude: float, longitude: float) -> tuple[int, int] | None:
        """Return the position of a place in the tile, eastwards and southwards from the tile's
        north-western corner, each from 0 to EXTENT - 1; None if the place is outside. At each zoom,
        a place between 85.05 degrees south and north lies in exactly one tile."""
        size = 2**self.zoom * EXTENT
        east = math.floor((longitude + 180) / 360 * size)
        south = math.floor(_mercator(latitude) * size)
        position = east - self.x * EXTENT, south - self.y * EXTENT
        return position if all(0 <= each < EXTENT for each in position) else None


def encode(tile: Tile, clusters: Iterable[cameras_pb2.MapCluster]) -> bytes:
    """Return the vector tile with the clusters that lie within `tile`, b"" if there are none. The
    order of `clusters` makes no difference."""
    layers = {name: _Layer(name) for name in ("clusters", "cameras")}
    for each in sorted(clusters, key=lambda each: (each.latitude, each.longitude, each.camera_id)):
        position = tile.position(each.latitude, each.longitude)
        if position is None:
            continue
        if each.camera_id:
            layers["cameras"].add(position, _single(each))
        else:
            numbers = {name: getattr(each, name) for name in ("count", *_STATUSES)}
            layers["clusters"].add(position, numbers)
    found = [layer.message for layer in layers.values() if layer.message.features]
    return VectorTile(layers=found).SerializeToString(deterministic=True)


class _Layer:
    """A layer of points (4.1), whose keys and values stand in it once each."""

    def __init__(self, name: str) -> None:
        self.message = VectorTile.Layer(name=name, version=2, extent=EXTENT)
        self._keys: dict[str, int] = {}
        self._values: dict[str | int, int] = {}

    def add(self, position: tuple[int, int], attributes: Mapping[str, str | int]) -> None:
        feature = self.message.features.add(type=VectorTile.GEOM_TYPE_POINT)
        # Parameters are zigzag-encoded (4.3.2); these are never negative.
        feature.geometry.extend((_MOVE_TO, *(2 * each for each in position)))
        for key, value in attributes.items():
            feature.tags.extend((self._key(key), self._value(value)))

    def _key(self, key: str) -> int:
        if key not in self._keys:
            self._keys[key] = len(self._keys)
            self.message.keys.append(key)
        return self._keys[key]

    def _value(self, value: str | int) -> int:
        if value not in self._values:
            self._values[value] = len(self._values)
            made = self.message.values.add()
            if isinstance(value, str):
                made.string_value = value
            else:
                made.uint_value = value
        return self._values[value]


def _single(cluster: cameras_pb2.MapCluster) -> dict[str, str | int]:
    status = next((name for name in _STATUSES if getattr(cluster, name)), "unknown")
    attributes: dict[str, str | int] = {"id": cluster.camera_id, "status": status}
    kind = short_names(cameras_pb2.CameraKind.DESCRIPTOR).get(cluster.kind)
    return {**attributes, "kind": kind} if kind else attributes


def _mercator(latitude: float) -> float:
    """How far south a latitude lies on the map, from 0 at its northern edge to 1."""
    return 0.5 - math.asinh(math.tan(math.radians(latitude))) / (2 * math.pi)


def _latitude(south: float) -> float:
    """The latitude of a part of the way from the northern edge of the map to the southern."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * south))))
