"""The addresses at which a camera's pictures are fetched. Credentials are separate from
addresses."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

from chassis.fields import check_text
from chassis.refusals import Checks

STREAMS_MAX = 16
NAME_MAX = 100
ADDRESS_MAX = 500
CREDENTIAL_MAX = 200
SCHEMES = frozenset(("rtsp", "rtsps", "http", "https"))
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
# As in "rtsp://user:password@host".
_PASSWORD_IN_ADDRESS = re.compile(r"://[^/\s@:]*:[^\s@]*@")
# As in "?user=admin&password=secret", or in a path, where some makers put the same.
_PASSWORD_IN_PARAMETERS = re.compile(r"(?:^|[/?&;_])(?:password|passwd|pass|pwd|psw)=[^&;/]", re.I)


class StreamRole(StrEnum):
    """The full picture of a camera (MAIN), or a smaller copy of it (SUB)."""

    MAIN = "MAIN"
    SUB = "SUB"


@dataclass(frozen=True)
class CameraStream:
    """A stream of a camera. `role` is None only in an invalid request, before it is refused."""

    name: str
    url: str
    role: StreamRole | None
    user: str = ""
    # As given in a request; "" if none was given, and in a stream that was read from the database.
    password: str = field(default="", repr=False, compare=False)
    # The keyed hash by which passwords are compared; b"" without a password.
    password_index: bytes = b""


def holds_password(text: str) -> bool:
    """Whether a text contains an address with a password, such as "rtsp://user:password@host"."""
    return "@" in text and _PASSWORD_IN_ADDRESS.search(text) is not None


def with_split_url(given: CameraStream) -> CameraStream:
    """Return the stream with the user and password in its URL moved to the fields for them.

    If one of these fields already has another value, the stream is returned unchanged.
    `check_streams` then refuses the stream, because its URL contains credentials.
    """
    parts = _split(given.url)
    if parts is None or "@" not in parts.netloc:
        return given
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if given.user not in ("", user) or given.password not in ("", password or given.password):
        return given
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=host).geturl()
    return replace(given, url=url, user=user or given.user, password=password or given.password)


def check_streams(check: Checks, at: str, streams: tuple[CameraStream, ...]) -> None:
    """Add every invalid field of the streams to `check`.

    `at` is the path of the streams in the request. No error repeats a value, because a URL may
    contain a password.
    """
    if not streams:
        return
    check.that(len(streams) <= STREAMS_MAX, at, f"at most {STREAMS_MAX}")
    names = [stream.name for stream in streams]
    check.that(len(set(names)) == len(names), at, "streams of different names")
    for index, stream in enumerate(streams):
        _check_stream(check, f"{at}[{index}].", stream)


def _check_stream(check: Checks, at: str, stream: CameraStream) -> None:
    check_text(check, at + "name", stream.name, longest=NAME_MAX, required=True)
    check.that(stream.role is not None, at + "role", "main or sub")
    check_text(check, at + "user", stream.user, longest=CREDENTIAL_MAX)
    check_text(check, at + "password", stream.password, longest=CREDENTIAL_MAX)
    is_address = _is_address(stream.url) and len(stream.url) <= ADDRESS_MAX
    expected = f"an address of rtsp, rtsps, http or https, at most {ADDRESS_MAX} characters"
    check.that(is_address, at + "url", expected)
    hides_nothing = not _PASSWORD_IN_PARAMETERS.search(stream.url) and "@" not in _host(stream.url)
    expected = "no user or password but those in the fields user and password"
    check.that(hides_nothing, at + "url", expected)


def _is_address(url: str) -> bool:
    parts = _split(url)
    if parts is None or any(character.isspace() for character in url) or not url.isprintable():
        return False
    return parts.scheme in SCHEMES and bool(parts.hostname)


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None if it cannot be split, or its port is no number."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _host(url: str) -> str:
    parts = _split(url)
    return parts.netloc if parts else ""


def with_kept_passwords(
    given: Iterable[CameraStream], known: Iterable[CameraStream]
) -> Iterator[CameraStream]:
    """Yield the given streams, with missing password hashes taken from known streams.

    A stream without a hash gets the hash of the known stream with the same name and the same
    server. If there is none, the hash stays empty. The server must be the same: otherwise, whoever
    may change an address could have the password sent to a server of their own.
    """
    kept = {(stream.name, _server(stream.url)): stream.password_index for stream in known}
    for stream in given:
        if stream.password_index:
            yield stream
        else:
            place = stream.name, _server(stream.url)
            yield replace(stream, password_index=kept.get(place, b""))


def _server(url: str) -> tuple[str, str | None, int | None]:
    """The scheme, host and port. The scheme counts, so that rtsps cannot become rtsp unseen."""
    parts = _split(url)
    if parts is None:
        return "", url, None
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
