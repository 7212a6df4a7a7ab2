"""Files of cameras as people have them, and the made-up country."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from law.identity_numbers import has_check_digit
from law.regions.borders import region_of
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_cli.clients.camera_files import CameraFile
from tartip_cli.clients.country import cameras
from tartip_cli.failures import Failure

HEAD = ("name", "latitude", "longitude", "kind", "serial", "owner_bin", "connected", "functions")
ROW = ("Абай – Достық", "43,24", "76,95", "anpr", "SN-1", "100140000003", "иә", "plate|vehicle")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_file_is_read_as_spreadsheets_write_it(
    tmp_path: Path, encoding: str, separator: str, ending: str
) -> None:
    row = ROW if encoding != "cp1251" else ("Абай – Достык", *ROW[1:6], "да", ROW[7])
    lines = [separator.join(HEAD).upper(), separator.join(row), ""]
    path = tmp_path / "cameras.csv"
    path.write_bytes(ending.join(lines).encode(encoding))
    file = CameraFile(path)
    [camera] = file.cameras()
    given = camera.description
    assert (camera.row, given.name, file.wrong) == (1, row[0], [])
    assert (given.place.latitude, given.place.longitude) == (43.24, 76.95)
    assert given.place.region == "KZ-75"
    assert (given.kind, given.connected) == (pb.CAMERA_KIND_ANPR, True)
    assert list(given.functions) == [pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_VEHICLE]


def test_cells_may_hold_commas_and_decimals_points(tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    row = '"Abai, 1",43.24,76.95,ANPR,SN-1,100140000003,1,"plate, zone"'
    path.write_text(",".join(HEAD) + f"\n{row}\n")
    [camera] = CameraFile(path).cameras()
    assert camera.description.name == "Abai, 1"
    assert list(camera.description.functions) == [pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_ZONE]


def test_streams_and_owners_have_columns(tmp_path: Path) -> None:
    more = ("owner_iin", "onvif_profiles", "certificate_valid_until", "owner_is_person")
    streams = ("stream_url", "stream_password", "substream_url", "control_centre")
    head = (*(name for name in HEAD if name != "owner_bin"), *more, *streams)
    cells = ("900101300017", "s, t", "2028-01-31", "да", "rtsp://10.0.0.1/1", "x", "", "ЦОУ 1")
    row = (*ROW[:5], *ROW[6:], *cells)
    path = tmp_path / "cameras.csv"
    path.write_text(";".join(head) + "\n" + ";".join(row) + "\n")
    file = CameraFile(path)
    [camera] = file.cameras()
    given = camera.description
    assert not file.wrong
    assert (given.owner_iin, given.owner_is_person, given.control_centre) == (
        *cells[:1],
        True,
        "ЦОУ 1",
    )
    assert list(given.onvif_profiles) == ["S", "T"]
    assert given.certificate_valid_until.ToJsonString() == "2028-01-30T19:00:00Z"
    assert list(given.streams) == [
        pb.CameraStream(
            name="main", role=pb.STREAM_ROLE_MAIN, url="rtsp://10.0.0.1/1", password="x"
        )
    ]


def test_a_row_whose_decimal_commas_make_cells_of_their_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(",".join(HEAD) + "\nAbai,43,24,76,95,anpr,SN-1,100140000003,1,plate\n")
    file = CameraFile(path)
    assert list(file.cameras()) == []
    assert [(wrong.row, wrong.expected) for wrong in file.wrong] == [
        (1, "at most 8 cells, as in the first line")
    ]


def test_every_cell_that_cannot_be_read_is_named_and_its_row_left_out(tmp_path: Path) -> None:
    broken = ("x", "north", "76.95", "webcam", "SN-2", "100140000003", "perhaps", "plate|mood")
    path = tmp_path / "cameras.csv"
    path.write_text("\n".join(";".join(row) for row in (HEAD, ROW, broken, ROW)) + "\n")
    file = CameraFile(path)
    assert [camera.row for camera in file.cameras()] == [1, 3]
    assert [(wrong.row, wrong.column) for wrong in file.wrong] == [
        (2, "latitude"),
        (2, "kind"),
        (2, "connected"),
        (2, "functions"),
    ]
    assert len(file) == 3


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (("name", "colour"), "no such column: colour"),
        (("name", "serial"), "columns are missing: latitude, longitude, kind, owner_bin"),
    ],
)
def test_a_head_that_does_not_fit_says_which_columns_there_are(
    tmp_path: Path, head: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(";".join(head) + "\n")
    with pytest.raises(Failure, match=said):
        CameraFile(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Шымкент".encode()[:-1] + b";", "byte 108 is not UTF-8"),
        (b"\x98;", "byte 96 is neither UTF-8 nor Windows-1251"),
        (b'\n"Abai;', "line 3: unexpected end of data"),
    ],
)
def test_a_broken_file_is_refused_before_anything_is_sent(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "cameras.csv"
    path.write_bytes(";".join(HEAD).encode() + b"\n" + b"x" * 30 + content)
    with pytest.raises(Failure, match=said):
        CameraFile(path)


def test_the_made_up_country_is_the_same_for_the_same_seed() -> None:
    made = list(cameras(3000, 7))
    assert made == list(cameras(3000, 7))
    assert made[0] != next(cameras(3000, 8))
    assert [camera.row for camera in made] == list(range(1, 3001))
    assert len({camera.camera_id for camera in made}) == 3000
    assert len({camera.description.serial for camera in made}) == 3000


def test_the_made_up_country_has_every_region_by_its_people_and_places_within() -> None:
    made = [camera.description for camera in cameras(3000, 7)]
    regions = Counter(given.place.region for given in made)
    assert len(regions) == 20
    assert regions["KZ-75"] > regions["KZ-71"] > regions["KZ-62"] > 0
    for given in made:
        region = region_of(given.place.latitude, given.place.longitude)
        assert region is not None and region.code == given.place.region
        assert has_check_digit(given.owner_bin)
    assert 0.25 < sum(given.connected for given in made) / 3000 < 0.38
