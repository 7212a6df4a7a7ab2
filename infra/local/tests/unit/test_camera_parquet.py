"""Parquet files of cameras are read as CSV files are, and written with types."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_cli.clients.camera_parquet import ParquetCameraFile, is_parquet, write_parquet
from tartip_cli.failures import Exit, Failure

ROW = {
    "name": "Абай – Достық",
    "latitude": 43.24,
    "longitude": 76.95,
    "kind": "anpr",
    "serial": "'=SN-1",
    "owner_bin": "100140000003",
    "connected": True,
    "functions": ["plate", "vehicle"],
    "dedupe_seconds": 900.0,
    "verification_number": "V-1",
    "verified_from": dt.date(2026, 1, 2),
    "verified_until": dt.datetime.fromisoformat("2028-01-31"),
    "site": None,
}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(list(rows)), path)
    return path


def test_the_name_says_what_a_file_is() -> None:
    names = ("x.parquet", "x.PQ", "x.csv", "parquet")
    assert [is_parquet(Path(name)) for name in names] == [True, True, False, False]


def test_without_the_library_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Failure, match="pyarrow") as caught:
        ParquetCameraFile(tmp_path / "x.parquet")
    assert caught.value.code == Exit.MISSING_REQUIREMENT


def test_every_type_of_column_is_read(tmp_path: Path) -> None:
    file = ParquetCameraFile(written(tmp_path / "x.parquet", ROW, ROW | {"serial": "SN-2"}))
    first, second = file.cameras()
    given = first.description
    assert (len(file), file.wrong, first.row, second.row) == (2, [], 1, 2)
    assert (given.name, given.serial, given.place.region) == (ROW["name"], "'=SN-1", "KZ-75")
    assert (given.place.latitude, given.connected, given.dedupe_seconds) == (43.24, True, 900)
    assert list(given.functions) == [pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_VEHICLE]
    [paper] = given.verifications
    assert paper.valid_from.ToJsonString() == "2026-01-01T19:00:00Z"
    assert paper.valid_until.ToJsonString() == "2028-01-30T19:00:00Z"
    assert len(list(file.cameras())) == 2, "it is read again, as when an import is resumed"


def test_a_cell_that_cannot_be_read_is_named_and_its_row_left_out(tmp_path: Path) -> None:
    wrong = ROW | {"kind": "webcam", "dedupe_seconds": 1.5}
    file = ParquetCameraFile(written(tmp_path / "x.parquet", wrong, ROW))
    assert [camera.row for camera in file.cameras()] == [2]
    assert [(each.row, each.column) for each in file.wrong] == [(1, "kind"), (1, "dedupe_seconds")]


def test_a_file_that_is_none_or_is_cut_or_lacks_columns_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.parquet", ROW)
    cut, text = tmp_path / "cut.parquet", tmp_path / "text.parquet"
    cut.write_bytes(whole.read_bytes()[:-20])
    text.write_text("name;latitude")
    struct = written(tmp_path / "struct.parquet", ROW | {"site": {"a": 1}})
    few = written(tmp_path / "few.parquet", {"name": "x", "latitude": 1.0})
    for path, said in (
        (cut, "not a Parquet file"),
        (text, "not a Parquet file"),
        (struct, "column site"),
        (few, "columns are missing: longitude, kind, serial, owner_bin"),
        (tmp_path / "none.parquet", "no such file"),
    ):
        with pytest.raises(Failure, match=said):
            ParquetCameraFile(path)


async def test_what_is_exported_has_types_and_is_read_again(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    [camera] = ParquetCameraFile(written(tmp_path / "x.parquet", ROW)).cameras()
    kept = pb.Camera(camera_id=str(new_id()), description=camera.description)

    async def each() -> AsyncIterator[pb.Camera]:
        for _ in range(1001):
            yield kept

    counts: list[int] = []
    path = tmp_path / "out.parquet"
    assert await write_parquet(path, each(), after_each=counts.append) == 1001
    assert counts == [1000, 1001]
    read = list(ParquetCameraFile(path).cameras())
    assert len(read) == 1001
    assert (read[0].camera_id, read[0].description) == (kept.camera_id, kept.description)
    types = {column.name: str(column.type) for column in parquet.read_schema(path)}
    assert (types["latitude"], types["connected"], types["retention_days"]) == (
        *("double", "bool", "int64"),
    )
