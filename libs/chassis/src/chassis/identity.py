"""The identity of callers: services, partners and devices by certificate, operators by token.

A certificate names its holder in the URI SAN spiffe://tartip/{service,partner,device}/<name>; the
authority of that kind must have signed the certificate (`authorities`). An operator's token is an
OIDC access token (audience "tartip") with the claims `sub`, `roles` and `regions`. A service
forwards the token; the owner of the data verifies it again, against the issuer's published keys.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

from chassis.clock import real_clock
from chassis.refusals import NotAuthenticated, TokenExpired
from chassis.transaction import Scope

AUDIENCE = "tartip"
ALGORITHMS = ["RS256", "ES256"]
KEYS_KEPT_SECONDS = 300.0
KEYS_ASKED_AGAIN_SECONDS = 5.0
KNOWN_MAX = 4096
CLOCK_SKEW_SECONDS = 5
TRUST_DOMAIN = "spiffe://tartip/"
KINDS = ("service", "partner", "device")
# Of one name in the claims of a token: neither holds a separator, a quote or a space.
ROLE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
REGION = re.compile(r"\*|[A-Z]{2}-[A-Z0-9]{1,3}")
# The services that hand operators' tokens on; any other certificate with a token is refused.
SPEAK_FOR_OPERATORS = frozenset({"operator-gateway"})


@dataclass(frozen=True)
class Operator:
    operator_id: str
    roles: frozenset[str]
    regions: tuple[str, ...]


@dataclass(frozen=True)
class Caller:
    """The caller (a service, partner or device), and the operator for whom a service calls."""

    kind: str
    name: str
    operator: Operator | None = None
    purpose: str = ""

    @property
    def scope(self) -> Scope:
        """The scope of the caller's transactions, which row-level security reads."""
        return _scope_of(self)

    @property
    def key(self) -> str:
        """The caller as "kind/name"; it is stored with request ids, so callers may use equal ids.

        If a service calls for an operator, the key names the operator instead.
        """
        return f"{self.scope.kind}/{self.scope.name}"


@lru_cache(maxsize=1024)
def _scope_of(caller: Caller) -> Scope:
    operator = caller.operator
    if operator is None:
        regions = ("*",) if caller.kind == "service" else ()
        return Scope(caller.kind, caller.name, regions, (), caller.purpose)
    roles = tuple(sorted(operator.roles))
    return Scope("operator", operator.operator_id, operator.regions, roles, caller.purpose)


@dataclass(frozen=True)
class Allow:
    """The callers that may use a method, and whether they must state a purpose.

    A purpose is needed where the answer holds personal data. Operators call through a service and
    need one of `roles`. Partners need the permission `scope`; `guard` of `host.runtime.Chassis`
    checks it. Requests for which `urgent` returns True may use a reserve of calls when the
    limits of the caller or of the process are exhausted.
    """

    partners: bool = False
    devices: bool = False
    services: frozenset[str] = field(default_factory=frozenset)
    roles: frozenset[str] = field(default_factory=frozenset)
    purpose: bool = False
    urgent: Callable[[Any], bool] | None = None
    scope: str = ""

    def admits(self, caller: Caller) -> bool:
        """Whether the caller may use the method, apart from its purpose and a partner's `scope`."""
        if caller.operator is not None:
            speaks = caller.kind == "service" and caller.name in SPEAK_FOR_OPERATORS
            return speaks and bool(self.roles & caller.operator.roles)
        if caller.kind == "service":
            return caller.name in self.services
        return self.partners if caller.kind == "partner" else self.devices


# What a service allows, by full method name.
Policy = Mapping[str, Allow]


def allow(
    *,
    partners: bool = False,
    devices: bool = False,
    services: Iterable[str] = (),
    roles: Iterable[str] = (),
    purpose: bool = False,
    urgent: Callable[[Any], bool] | None = None,
    scope: str = "",
) -> Allow:
    """Return an `Allow` with these fields; without arguments it admits no caller."""
    return Allow(partners, devices, frozenset(services), frozenset(roles), purpose, urgent, scope)


def caller_from_spiffe(uris: Iterable[str]) -> tuple[str, str]:
    """Return a caller's kind and name, such as ("service", "fines"), by its certificate's URIs.
    Raises NotAuthenticated unless there is exactly one URI, in the form that this module states."""
    named = list(uris)
    if len(named) != 1 or not named[0].startswith(TRUST_DOMAIN):
        raise NotAuthenticated
    kind, _, name = named[0].removeprefix(TRUST_DOMAIN).partition("/")
    if kind not in KINDS or not name or "/" in name:
        raise NotAuthenticated
    return kind, name


def _names(claims: Mapping[str, Any], claim: str, shape: re.Pattern[str]) -> list[str]:
    """The names that a claim lists. Raises NotAuthenticated if one has another shape."""
    names = claims.get(claim, [])
    if not isinstance(names, list):
        raise NotAuthenticated
    if not all(isinstance(name, str) and shape.fullmatch(name) for name in names):
        raise NotAuthenticated
    return names


@dataclass(frozen=True)
class _Verified:
    """What a token was found to say, under which keys, and until when (POSIX time) it holds."""

    operator: Operator
    keys: KeySet
    expires_at: float


class TokenVerifier:
    """A verifier of operators' tokens, which fetches and caches the issuer's public keys.

    The result for a token is cached until the token expires or the keys are fetched again.
    """

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._keys: KeySet | None = None
        # By the SHA-256 of the token.
        self._known: OrderedDict[bytes, _Verified] = OrderedDict()
        self._fetched_at = -KEYS_KEPT_SECONDS
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Operator:
        """Return the operator whom a valid token names. Raises TokenExpired or NotAuthenticated."""
        keys = await self._current_keys(max_age_seconds=KEYS_KEPT_SECONDS)
        known = self._known.get(hashlib.sha256(token.encode()).digest())
        if known is not None and known.keys is keys:
            if real_clock().timestamp() <= known.expires_at + CLOCK_SKEW_SECONDS:
                return known.operator
            raise TokenExpired
        try:
            return self._operator(token, keys)
        except NotAuthenticated:
            # The issuer may have rotated its keys since; ask again, but not for every forgery.
            fresh = await self._current_keys(max_age_seconds=KEYS_ASKED_AGAIN_SECONDS)
            if fresh is keys:
                raise
            return self._operator(token, fresh)

    def _operator(self, token: str, keys: KeySet) -> Operator:
        try:
            claims: dict[str, Any] = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                leeway=CLOCK_SKEW_SECONDS,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": AUDIENCE},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
        except ExpiredTokenError as error:
            raise TokenExpired from error
        except (JoseError, ValueError) as error:
            raise NotAuthenticated from error
        roles, regions = _names(claims, "roles", ROLE), _names(claims, "regions", REGION)
        operator = Operator(str(claims["sub"]), frozenset(roles), tuple(sorted(regions)))
        verified = _Verified(operator, keys, float(claims["exp"]))
        self._known[hashlib.sha256(token.encode()).digest()] = verified
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return operator

    async def _current_keys(self, *, max_age_seconds: float) -> KeySet:
        async with self._lock:
            if self._keys is None or time.monotonic() - self._fetched_at > max_age_seconds:
                try:
                    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
                        found = await client.get(f"{self._issuer}/.well-known/openid-configuration")
                        keys = await client.get(found.raise_for_status().json()["jwks_uri"])
                        self._keys = KeySet.import_key_set(keys.raise_for_status().json())
                        self._fetched_at = time.monotonic()
                except (httpx.HTTPError, JoseError, KeyError, ValueError) as error:
                    if self._keys is None:
                        raise NotAuthenticated from error
                    # The known keys serve on, and nobody else waits for a silent issuer just now.
                    self._fetched_at = time.monotonic() - (
                        KEYS_KEPT_SECONDS - KEYS_ASKED_AGAIN_SECONDS
                    )
            return self._keys
