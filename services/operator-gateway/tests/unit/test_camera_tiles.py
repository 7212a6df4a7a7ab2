"""Vector tiles: where a place lies in which tile, and the bytes of the specification."""

import random
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from operator_gateway.camera_tiles import EXTENT, Tile, encode
from tartip.cameras.v1 import cameras_pb2
from tartip.tiles.v1.tiles_pb2 import VectorTile

# Outside of the lock: it asks for an older protobuf.
READER = "mapbox_vector_tile"
# The centre of Almaty in the tiles of the web's maps, by the formulas of EPSG:3857.
ALMATY = (43.238949, 76.889709)
CLUSTER = cameras_pb2.MapCluster(
    latitude=43.238949, longitude=76.889709, count=7, online=4, offline=1, unknown=2
)
SINGLE = cameras_pb2.MapCluster(
    latitude=43.2389,
    longitude=76.8897,
    count=1,
    degraded=1,
    camera_id="019acf54-3fee-7b4e-9fbb-7be3a4f0d0c1",
    kind=cameras_pb2.CAMERA_KIND_ANPR,
)


def decoded(content: bytes) -> dict[str, list[tuple[tuple[int, ...], dict[str, Any]]]]:
    """Layers by name: the position and attributes of each point."""
    found: dict[str, list[tuple[tuple[int, ...], dict[str, Any]]]] = {}
    for layer in VectorTile.FromString(content).layers:
        assert (layer.version, layer.extent) == (2, EXTENT)
        for feature in layer.features:
            command, *parameters = feature.geometry
            assert (feature.type, command) == (VectorTile.GEOM_TYPE_POINT, 9)
            position = tuple((each >> 1) ^ -(each & 1) for each in parameters)
            pairs = zip(feature.tags[::2], feature.tags[1::2], strict=True)
            attributes = {layer.keys[key]: value_of(layer.values[value]) for key, value in pairs}
            found.setdefault(layer.name, []).append((position, attributes))
    return found


def value_of(value: VectorTile.Value) -> Any:
    [(_, found)] = value.ListFields()
    return found


@pytest.mark.parametrize(
    ("zoom", "tile", "position"),
    [
        (0, (0, 0), (2922, 1501)),
        (1, (1, 0), (1749, 3002)),
        (10, (730, 375), (2902, 1380)),
        (16, (46765, 24021), (1410, 2305)),
    ],
)
def test_a_known_place_lies_in_its_known_tile(
    zoom: int, tile: tuple[int, int], position: tuple[int, int]
) -> None:
    assert Tile(zoom, *tile).position(*ALMATY) == position
    assert Tile(zoom, tile[0], tile[1] + 1).position(*ALMATY) is None


def test_the_box_of_a_tile_is_that_of_the_web_map() -> None:
    world, almaty = Tile(0, 0, 0).box, Tile(10, 730, 375).box
    assert (world.west, world.east) == (-180, 180)
    assert (world.south, world.north) == pytest.approx((-85.0511288, 85.0511288), abs=2e-6)
    edges = (almaty.south, almaty.west, almaty.north, almaty.east)
    assert edges == pytest.approx((43.0688878, 76.640625, 43.3251777, 76.9921875), abs=2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_each_place_lies_in_one_tile_and_in_its_box(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(200):
        zoom = draw.randrange(23)
        size = 2**zoom
        x, y = draw.randrange(size), draw.randrange(size)
        box = Tile(zoom, x, y).box
        place = draw.uniform(box.south, box.north), draw.uniform(box.west, box.east)
        near = [
            Tile(zoom, x + dx, y + dy)
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            if 0 <= x + dx < size and 0 <= y + dy < size
        ]
        holding = [tile for tile in near if tile.position(*place) is not None]
        if abs(place[0]) < 85.0511 and abs(place[1]) < 180:
            [tile] = holding
            held = tile.box
            assert held.south <= place[0] <= held.north and held.west <= place[1] <= held.east


def test_a_tile_has_clusters_and_single_cameras() -> None:
    content = encode(Tile(10, 730, 375), [CLUSTER, SINGLE])
    assert decoded(content) == {
        "clusters": [
            (
                (2902, 1380),
                {"count": 7, "online": 4, "degraded": 0, "offline": 1, "tampered": 0, "unknown": 2},
            )
        ],
        "cameras": [
            ((2901, 1380), {"id": SINGLE.camera_id, "status": "degraded", "kind": "anpr"}),
        ],
    }
    assert content == encode(Tile(10, 730, 375), [SINGLE, CLUSTER])


def test_what_lies_outside_is_left_to_its_own_tile() -> None:
    assert encode(Tile(10, 731, 375), [CLUSTER, SINGLE]) == b""
    assert encode(Tile(10, 730, 375), []) == b""


def test_the_bytes_are_those_of_the_specification() -> None:
    """A point at (0, 0), written by hand after 2.1, sections 4.1 to 4.4."""
    corner = cameras_pb2.MapCluster(latitude=85.05112, longitude=-180, camera_id="a", online=1)
    layer = b"\x0a\x07cameras"  # name
    layer += b"\x12\x0d\x12\x04\x00\x00\x01\x01\x18\x01\x22\x03\x09\x00\x00"  # feature
    layer += b"\x1a\x02id\x1a\x06status"  # keys
    layer += b"\x22\x03\x0a\x01a\x22\x08\x0a\x06online"  # values
    layer += b"\x28\x80\x20\x78\x02"  # extent 4096, version 2
    assert encode(Tile(0, 0, 0), [corner]) == b"\x1a" + bytes([len(layer)]) + layer


@pytest.mark.skipif(find_spec(READER) is None, reason="left out: no mapbox-vector-tile")
def test_another_reader_reads_the_same() -> None:
    content = encode(Tile(10, 730, 375), [CLUSTER, SINGLE])
    read = import_module(READER).decode(content, default_options={"y_coord_down": True})
    points = {
        name: [
            (tuple(feature["geometry"]["coordinates"]), feature["properties"])
            for feature in layer["features"]
        ]
        for name, layer in read.items()
    }
    assert points == decoded(content)
