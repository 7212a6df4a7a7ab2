"""Refusals: exceptions with a name, a stable code and the same meaning on every transport.

    class FineAlreadyPaid(Refusal):
        kind = Kind.STATE
        code = "FINE_ALREADY_PAID"
        # and in texts/en.ftl, ru.ftl, kk.ftl: FINE_ALREADY_PAID = This fine is already paid.

`Checks` collects all wrong fields of a request, so that a caller learns of them together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import grpc

from chassis.texts import Message, message_of


class Kind(Enum):
    """The kinds of refusals; a value is the pair (gRPC status, HTTP status)."""

    INVALID = (grpc.StatusCode.INVALID_ARGUMENT, 422)
    UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, 401)
    FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, 403)
    NOT_FOUND = (grpc.StatusCode.NOT_FOUND, 404)
    EXISTS = (grpc.StatusCode.ALREADY_EXISTS, 409)
    STATE = (grpc.StatusCode.FAILED_PRECONDITION, 409)
    CONFLICT = (grpc.StatusCode.ABORTED, 409)
    OVERLOADED = (grpc.StatusCode.RESOURCE_EXHAUSTED, 429)
    UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, 503)
    TIMEOUT = (grpc.StatusCode.DEADLINE_EXCEEDED, 504)
    INTERNAL = (grpc.StatusCode.INTERNAL, 500)
    DAMAGED = (grpc.StatusCode.DATA_LOSS, 500)

    @property
    def grpc_status(self) -> grpc.StatusCode:
        """The gRPC status code of this kind."""
        return self.value[0]

    @property
    def http_status(self) -> int:
        """The HTTP status code of this kind."""
        return self.value[1]


@dataclass(frozen=True)
class FieldError:
    """A wrong field: its path in the request, an error code, and what would be right."""

    field: str
    code: str
    description: str


class Refusal(Exception):
    """Base exception for refused requests; a subclass is named after the broken rule.

    `fields` lists the wrong fields of the request; `facts` holds ids and numbers for programs.
    """

    kind: ClassVar[Kind] = Kind.STATE
    code: ClassVar[str] = "REFUSED"
    # After how many seconds the same request may be accepted; None if that is not known.
    retry_seconds: float | None = None

    def __init__(self, *, fields: tuple[FieldError, ...] = (), facts: dict[str, str] | None = None):
        super().__init__(self.code)
        self.fields = fields
        # Ids and numbers a program may act on ("received_bytes"), never personal data.
        self.facts = facts or {}

    @property
    def reason(self) -> str:
        """The stable code that programs act on, such as FINE_ALREADY_PAID."""
        return self.code

    @property
    def message(self) -> Message:
        """The message for people, from the folder `texts` of the package that defines the code."""
        owner = next(parent for parent in type(self).__mro__ if "code" in vars(parent))
        return message_of(owner.__module__.partition(".")[0], self.code)


class BadRequest(Refusal):
    """A request with wrong `fields`; if all fields have one code, `reason` is this code."""

    kind = Kind.INVALID
    code = "BAD_REQUEST"

    @property
    def reason(self) -> str:
        """The code that all wrong fields share; BAD_REQUEST if they differ."""
        codes = {error.code for error in self.fields}
        return codes.pop() if len(codes) == 1 else self.code


class IdReused(Refusal):
    kind = Kind.EXISTS
    code = "ID_REUSED"


class NotAuthenticated(Refusal):
    kind = Kind.UNAUTHENTICATED
    code = "NOT_AUTHENTICATED"


class CertificateRevoked(Refusal):
    kind = Kind.FORBIDDEN
    code = "CERTIFICATE_REVOKED"


class TokenExpired(Refusal):
    kind = Kind.UNAUTHENTICATED
    code = "TOKEN_EXPIRED"


class NotAllowed(Refusal):
    kind = Kind.FORBIDDEN
    code = "NOT_ALLOWED"


class DeadlineRequired(Refusal):
    kind = Kind.INVALID
    code = "DEADLINE_REQUIRED"


class Overloaded(Refusal):
    kind = Kind.OVERLOADED
    code = "OVERLOADED"
    retry_seconds = 1.0


class ShareExceeded(Refusal):
    """The caller exceeds a limit of its own; `facts` holds the limit's name and value.

    `host.gate` sends this refusal after `pause_seconds`, to slow a caller that retries at once.
    """

    kind = Kind.OVERLOADED
    code = "SHARE_EXCEEDED"
    pause_seconds = 0.0

    def __init__(self, limit: str, value: float, retry_seconds: float) -> None:
        super().__init__(facts={"limit": limit, "limit_value": f"{value:.12g}"})
        self.retry_seconds = retry_seconds


class StorageAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "STORAGE_AWAY"


class Stopping(Refusal):
    kind = Kind.UNAVAILABLE
    code = "SERVER_STOPPING"


class ClockUnsure(Refusal):
    kind = Kind.UNAVAILABLE
    code = "CLOCK_UNSURE"


class PageTokenWrong(Refusal):
    kind = Kind.INVALID
    code = "PAGE_TOKEN_WRONG"


class InternalError(Refusal):
    """A bug: the caller gets only an error id; the log has the details under this id."""

    kind = Kind.INTERNAL
    code = "INTERNAL"


class RemoteRefusal(Refusal):
    """A refusal by a peer, passed on unchanged: its kind, code, message and fields."""

    def __init__(
        self,
        kind: Kind,
        code: str,
        message: Message,
        fields: tuple[FieldError, ...],
        facts: dict[str, str],
    ) -> None:
        super().__init__(fields=fields, facts=facts)
        self.args = (code,)
        self.kind = kind  # type: ignore[misc]  # of this one refusal, not of its class
        self.code = code  # type: ignore[misc]
        self._message = message

    @property
    def message(self) -> Message:
        """The peer's message for people, unchanged."""
        return self._message


class Checks:
    """The wrong fields found so far in a request; see `checks()`, which raises BadRequest."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def wrong(self, field: str, description: str, *, code: str = "BAD_REQUEST") -> None:
        """Add a wrong field; `description` says what would be right."""
        self.errors.append(FieldError(field, code, description))

    def that(self, holds: bool, field: str, description: str, *, code: str = "BAD_REQUEST") -> bool:
        """Add a wrong field if `holds` is False; return `holds`."""
        if not holds:
            self.wrong(field, description, code=code)
        return holds


@contextmanager
def checks() -> Iterator[Checks]:
    """Yield a `Checks`; raise BadRequest at the end of the block if it has a wrong field."""
    collected = Checks()
    yield collected
    if collected.errors:
        raise BadRequest(fields=tuple(collected.errors))
