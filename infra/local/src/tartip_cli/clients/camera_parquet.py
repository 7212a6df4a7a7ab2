"""Reads and writes cameras as Apache Parquet files, with the columns of the CSV files.

The module needs the package pyarrow, which takes 170 MB on disk. It is therefore not installed by
default, but with the extra `parquet` of tartip-local.
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_cli.clients.camera_export import EXPORTED, cells_of
from tartip_cli.clients.camera_files import COLUMNS, GUARDED, CameraFile, broken
from tartip_cli.failures import Exit, Failure

_ROWS = 1000


def is_parquet(path: Path) -> bool:
    """Whether a file's name ends in `.parquet` or `.pq`."""
    return path.suffix.casefold() in (".parquet", ".pq")


class ParquetCameraFile(CameraFile):
    """The cameras in a Parquet file, read in batches of rows. A column holds strings, numbers,
    booleans, dates, timestamps or lists of strings; null counts as an empty cell."""

    def _open(self) -> None:
        arrow, parquet = _library("pyarrow"), _library("pyarrow.parquet")
        self._broken = (arrow.ArrowException, OSError, ValueError)
        try:
            self._file = parquet.ParquetFile(self.path)
        except FileNotFoundError as error:
            raise Failure(f"cannot read {self.path}: no such file", Exit.NOT_FOUND) from error
        except self._broken as error:
            raise broken(self.path, "not a Parquet file, or not to its end") from error
        for column in self._file.schema_arrow:
            if not _is_readable(arrow.types, column.type):
                reason = f"column {column.name} is of the type {column.type}"
                raise broken(self.path, reason)

    def _count_lines(self) -> int:
        # Decoded once, without making rows of it.
        rows: int = sum(batch.num_rows for batch in self._batches())
        return rows + 1  # the names of the columns

    def _lines(self) -> Iterator[list[str]]:
        yield list(self._file.schema_arrow.names)
        for batch in self._batches():
            columns = [_values(column) for column in batch.columns]
            for values in zip(*columns, strict=True):
                yield [_cell(value) for value in values]

    def _batches(self) -> Iterator[Any]:
        try:
            yield from self._file.iter_batches(batch_size=_ROWS)
        except self._broken as error:
            raise broken(self.path, "a part of the file cannot be read") from error


async def write_parquet(
    path: Path, cameras: AsyncIterator[pb.Camera], *, after_each: Callable[[int], None]
) -> int:
    """Write cameras into a Parquet file, as `camera_export.write_csv` does, and return the number
    of cameras. Columns have the types float, integer, boolean or string; empty cells are null.
    After each batch of rows, `after_each` is called with the number of cameras so far."""
    arrow, parquet = _library("pyarrow"), _library("pyarrow.parquet")
    schema = arrow.schema([(name, _type(arrow, name)) for name in EXPORTED])
    part, number = path.with_name(f"{path.name}.part"), 0
    try:
        with parquet.ParquetWriter(part, schema) as file:
            async for rows in _rows(cameras):
                file.write_batch(arrow.RecordBatch.from_pylist(rows, schema))
                number += len(rows)
                after_each(number)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return number


async def _rows(cameras: AsyncIterator[pb.Camera]) -> AsyncIterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    async for camera in cameras:
        rows.append(_row(camera))
        if len(rows) == _ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _library(name: str) -> Any:
    """A module of pyarrow. Raises Failure if that is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        remedy = "uv pip install --python .venv/bin/python 'pyarrow>=20'"
        message = f"Parquet files need the package pyarrow: .venv/bin/{remedy}"
        raise Failure(message, Exit.MISSING_REQUIREMENT) from error


def _is_readable(types: Any, of: Any) -> bool:
    if types.is_list(of) or types.is_large_list(of) or types.is_dictionary(of):
        return _is_text(types, of.value_type)
    fitting = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    moments = (types.is_date, types.is_timestamp)
    return _is_text(types, of) or any(is_it(of) for is_it in (*fitting, *moments))


def _is_text(types: Any, of: Any) -> bool:
    return bool(types.is_string(of) or types.is_large_string(of))


def _values(column: Any) -> list[Any]:
    """The values of a column. Python's moments have no nanoseconds."""
    types = _library("pyarrow").types
    if types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(_library("pyarrow").timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _cell(value: Any) -> str:
    """A value as a CSV file has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # tables with gaps have whole numbers as these
    if isinstance(value, list):
        return "|".join(str(each) for each in value)
    if isinstance(value, dt.datetime) and value.tzinfo is None and value.time() == dt.time():
        return value.date().isoformat()  # many tables have no type for days
    if isinstance(value, dt.date):
        return value.isoformat()
    # No spreadsheet takes it for a formula here: an apostrophe is part of the text.
    return f"'{value}" if GUARDED.match(str(value)) else str(value)


def _type(arrow: Any, name: str) -> Any:
    made = {"a number": arrow.float64, "a whole number": arrow.int64, "yes or no": arrow.bool_}
    return made.get(COLUMNS[name].expected, arrow.string)()


def _row(camera: pb.Camera) -> dict[str, Any]:
    cells = zip(EXPORTED, cells_of(camera), strict=True)
    return {name: _typed(COLUMNS[name].expected, cell) for name, cell in cells if cell}


def _typed(expected: str, cell: str) -> Any:
    if expected == "a number":
        return float(cell)
    if expected == "a whole number":
        return int(cell)
    if expected == "yes or no":
        return cell == "yes"
    return cell[1:] if GUARDED.match(cell) else cell
