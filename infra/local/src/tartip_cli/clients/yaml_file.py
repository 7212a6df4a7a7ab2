"""YAML files that people edit, and the values of the contracts' enums as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tartip.reports.v1 import reports_pb2

from tartip_cli.failures import Exit, Failure


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds. Raises Failure, which names the file and the place in it."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}", Exit.USAGE) from None
    except yaml.YAMLError as error:
        where = str(getattr(error, "problem_mark", "")).strip()
        raise Failure(f"{path} is no YAML: {where}", Exit.USAGE) from None


def to_text(content: object) -> str:
    """Return content as YAML, in its own order."""
    text: str = yaml.safe_dump(
        content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )
    return text


def texts_of(given: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts under a key, none if it is missing. Raises ValueError for what is no
    list."""
    values = given.get(name, [])
    if not isinstance(values, list):
        raise ValueError(f"{name} is a list, such as [a, b]")
    return [str(value) for value in values]


def read_category(name: str) -> Any:
    """Return the Category of a name such as "road_accident". Raises ValueError."""
    return enum_number(reports_pb2.Category, "CATEGORY", name)


def category_name(number: Any) -> str:
    """Return the name of a Category, such as "road_accident"."""
    return enum_name(reports_pb2.Category, "CATEGORY", number)


def enum_number(enum: Any, prefix: str, name: object) -> Any:
    """Return the value of an enum whose names begin with `prefix`. Raises ValueError, which tells
    all names."""
    wanted = f"{prefix}_{str(name).upper()}"
    known = [one for one in enum.DESCRIPTOR.values_by_name if not one.endswith("_UNSPECIFIED")]
    if wanted not in known:
        shorts = ", ".join(_short(one, prefix) for one in known)
        raise ValueError(f"{name} is none of {shorts}")
    return enum.Value(wanted)


def enum_name(enum: Any, prefix: str, number: Any) -> str:
    """Return the name of a value of an enum, without `prefix`, in small letters."""
    return _short(enum.Name(number), prefix)


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(f"{prefix}_").lower()
