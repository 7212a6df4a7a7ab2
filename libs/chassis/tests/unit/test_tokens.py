"""What a token claims is believed only in the shape that claims have."""

import time
from datetime import timedelta
from typing import Any

import pytest
from chassis import identity
from chassis.clock import real_clock
from chassis.identity import AUDIENCE, CLOCK_SKEW_SECONDS, TokenVerifier
from chassis.refusals import NotAuthenticated, TokenExpired
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

ISSUER = "https://issuer.example"


@pytest.fixture(scope="module")
def key() -> ECKey:
    key = ECKey.generate_key("P-256")
    key.ensure_kid()
    return key


def verifier_with(key: ECKey) -> TokenVerifier:
    """One that has the issuer's key."""
    verifier = TokenVerifier(ISSUER)
    verifier._keys, verifier._fetched_at = KeySet([key]), time.monotonic()
    return verifier


def token_of(key: ECKey, **claims: Any) -> str:
    expires_at = int(real_clock().timestamp()) + 60
    known = {"iss": ISSUER, "aud": AUDIENCE, "sub": "inspector-1", "exp": expires_at}
    return jwt.encode({"alg": "ES256", "kid": key.kid}, known | claims, key)


async def verified(key: ECKey, **claims: Any) -> Any:
    """What a verifier that knows the issuer's key makes of a token with these claims."""
    return await verifier_with(key).verify(token_of(key, **claims))


async def test_a_known_token_ends_when_it_expires(
    key: ECKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier, token = verifier_with(key), token_of(key, roles=["inspector"])
    first = await verifier.verify(token)
    assert await verifier.verify(token) is first
    later = real_clock() + timedelta(seconds=60 + CLOCK_SKEW_SECONDS + 1)
    monkeypatch.setattr(identity, "real_clock", lambda: later)
    with pytest.raises(TokenExpired):
        await verifier.verify(token)


async def test_a_known_token_is_verified_again_under_new_keys(key: ECKey) -> None:
    verifier, token = verifier_with(key), token_of(key)
    await verifier.verify(token)
    other = ECKey.generate_key("P-256")
    other.ensure_kid()
    verifier._keys, verifier._fetched_at = KeySet([other]), time.monotonic()
    with pytest.raises(NotAuthenticated):
        await verifier.verify(token)


async def test_a_token_like_a_known_one_is_none(key: ECKey) -> None:
    verifier, token = verifier_with(key), token_of(key)
    await verifier.verify(token)
    head, claims, signature = token.split(".")
    others = (f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims}.", token[:-1], f"{token}A")
    for other in others:
        with pytest.raises(NotAuthenticated):
            await verifier.verify(other)


async def test_roles_and_regions_of_a_token_are_the_operators(key: ECKey) -> None:
    roles = ["inspector", "camera_administrator", "default-roles-tartip"]
    operator = await verified(key, roles=roles, regions=["KZ-75", "*", "KZ-71"])
    assert operator.roles == frozenset(roles)
    assert operator.regions == ("*", "KZ-71", "KZ-75")


async def test_a_token_without_roles_or_regions_names_an_operator_of_none(key: ECKey) -> None:
    operator = await verified(key)
    assert (operator.roles, operator.regions) == (frozenset(), ())


@pytest.mark.parametrize(
    "claims",
    [
        {"regions": ["KZ-75,KZ-71"]},
        {"regions": ["KZ-75", "KZ-71\n"]},
        {"regions": ['KZ-75","KZ-71']},
        {"regions": ["**"]},
        {"regions": [""]},
        {"regions": [75]},
        {"regions": [["KZ-75"]]},
        {"regions": "KZ-75"},
        {"roles": ["inspector,supervisor"]},
        {"roles": ["inspector supervisor"]},
        {"roles": ["Inspector"]},
        {"roles": ["i" * 65]},
        {"roles": [None]},
        {"roles": {"inspector": True}},
    ],
    ids=str,
)
async def test_a_claim_of_another_shape_is_refused(key: ECKey, claims: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await verified(key, **claims)
