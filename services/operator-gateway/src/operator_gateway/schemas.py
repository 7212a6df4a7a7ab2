"""Base classes for the bodies and queries of requests and for answers, and common field types such
as ids, money and places."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, TypeVar

from chassis.refusals import BadRequest, FieldError
from fastapi import Header, Path
from google.protobuf.message import Message
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from operator_gateway.mapping import to_message, to_plain

A = TypeVar("A", bound="Answer")
M = TypeVar("M", bound=Message)

PAGE_SIZE_MAX = 200


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be base64") from error


def _of_our_time(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise ValueError("must lie between 1970 and 2200")
    return value


# Ids in a path; their owner checks what they must look like.
Id = Annotated[str, Path(min_length=1, max_length=64)]
ClientMadeId = Annotated[
    str, Field(max_length=36, description="UUIDv7 that the client made and keeps until answered.")
]
IdempotencyKey = Annotated[
    str | None,
    Header(max_length=36, description="The client-made id, where the body does not carry it."),
]
Reason = Annotated[str, Field(max_length=500)]
Base64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
Bytes = Annotated[
    bytes,
    BeforeValidator(_decoded),
    Field(max_length=65_536, json_schema_extra={"type": "string", "contentEncoding": "base64"}),
]
Instant = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
ShownVersion = Annotated[
    int,
    Field(
        ge=0,
        le=2**63 - 1,
        description="`version` of what was shown: an action meant for another is refused. 0: any.",
    ),
]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-22"])]
Region = Annotated[str, Field(max_length=6, examples=["KZ-75"])]


class Request(BaseModel):
    """Base class for the body or query of a request. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def message(self, message_type: type[M], **more: Any) -> M:
        return to_message(self.model_dump() | more, message_type)


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

    @classmethod
    def of(cls: type[A], message: Message) -> A:
        return cls.model_validate(to_plain(message))


class Listing(BaseModel):
    """Base class for the query of a list that is returned in pages. Unknown parameters are
    refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page_size: int = Field(0, ge=0, le=PAGE_SIZE_MAX, description="0 means 50.")
    page_token: str = Field(
        "", max_length=1024, description="`next_page_token` of the page before."
    )

    def message(self, message_type: type[M]) -> M:
        values = self.model_dump(exclude={"page_size", "page_token"})
        page = {"size": self.page_size, "token": self.page_token}
        return to_message(values | {"page": page}, message_type)


class Money(Answer):
    amount_minor: int = Field(description="In the smallest unit: 100 tiyn are 1 tenge.")
    currency: str


class Place(Answer):
    latitude: float
    longitude: float
    region: str
    address: str
    kato: str


Moment = datetime | None


def client_made_id(in_body: str | None, in_header: str | None, field: str) -> str:
    """Return the id that the client made, from the body or else from the header Idempotency-Key.

    Raises BadRequest, for the field `field`, if the two differ or neither is given.
    """
    if in_body and in_header and in_body != in_header:
        raise BadRequest(
            fields=(FieldError(field, "BAD_REQUEST", "differs from the header Idempotency-Key"),)
        )
    found = in_body or in_header
    if not found:
        raise BadRequest(
            fields=(FieldError(field, "BAD_REQUEST", "make a UUIDv7, here or in Idempotency-Key"),)
        )
    return found
