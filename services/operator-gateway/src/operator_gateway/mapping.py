"""Converts Protobuf messages to plain values and back, using the messages' descriptors.

Field names are unchanged. An enum value becomes its short name ("REPORT_STATUS_IN_WORK" becomes
"in_work", an unset or unknown value None). Bytes become base64, a Timestamp a datetime in UTC. A
field with explicit presence that is not set becomes None.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

M = TypeVar("M", bound=Message)
Field = Any  # a FieldDescriptor: the stubs give one class two names


def to_plain(message: Message) -> dict[str, Any]:
    return {field.name: _read(message, field) for field in message.DESCRIPTOR.fields}


def to_message(values: Mapping[str, Any], message_type: type[M]) -> M:
    """Return a message of this type with these values by field name; None leaves a field unset."""
    message = message_type()
    _fill(message, values)
    return message


def _read(message: Message, field: Field) -> Any:
    if field.is_repeated:
        return [_plain(field, item) for item in getattr(message, field.name)]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _plain(field, getattr(message, field.name))


def _plain(field: Field, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.ToDatetime(tzinfo=UTC)
    if isinstance(value, Message):
        return to_plain(value)
    if field.enum_type is not None:
        return short_names(field.enum_type).get(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _fill(message: Message, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            continue
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.is_repeated:
            for item in value:
                _append(getattr(message, name), field, item)
        elif isinstance(value, datetime):
            getattr(message, name).FromDatetime(value)
        elif isinstance(value, Mapping):
            getattr(message, name).SetInParent()
            _fill(getattr(message, name), value)
        else:
            setattr(message, name, _scalar(field, value))


def _append(repeated: Any, field: Field, item: Any) -> None:
    if isinstance(item, Mapping):
        _fill(repeated.add(), item)
    else:
        repeated.append(_scalar(field, item))


def _scalar(field: Field, value: Any) -> Any:
    return number_of(field.enum_type, value) if field.enum_type is not None else value


def number_of(enum: EnumDescriptor, short_name: str) -> int:
    return next(number for number, name in short_names(enum).items() if name == short_name)


@cache
def short_names(enum: EnumDescriptor) -> dict[int, str]:
    """Return the short name ("in_work") of each value of an enum by its number. The number 0, which
    means "unspecified", is left out."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return {
        value.number: value.name.removeprefix(prefix).lower()
        for value in enum.values
        if value.number != 0
    }
