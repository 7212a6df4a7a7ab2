"""The development token issuer, for made-up operators. In production, Keycloak takes its place.

Discovery, keys and tokens have the formats of OpenID Connect, so that the gateway verifies all
tokens in the same way. `POST /oidc/token` takes a form with `operator=<id>` and no password. The
issuer exists only in the embedded run and listens only on the loopback address.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from chassis.clock import real_clock
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tartip_cli.data_dir import write_private
from tartip_cli.topology import OPERATORS, Operator, operator_with

AUDIENCE = "tartip"
TOKEN_SECONDS = 15 * 60
_MAX_FORM_BYTES = 4096


@dataclass(frozen=True)
class Issuer:
    """Issues access tokens, signed (ES256) with a key that is stored in the data folder."""

    url: str
    key: ECKey

    @classmethod
    def open(cls, folder: Path, url: str) -> Issuer:
        path = folder / "signing.pem"
        if not path.exists():
            write_private(path, ECKey.generate_key("P-256").as_pem(private=True))
        key = ECKey.import_key(path.read_text())
        key.ensure_kid()
        return cls(url, key)

    def token(self, operator: Operator) -> str:
        now = int(real_clock().timestamp())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": operator.id,
            "name": operator.name,
            "roles": list(operator.roles),
            "regions": list(operator.regions),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid, "typ": "JWT"}, claims, self.key)

    def discovery(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            # Marks the development issuer and lists its operators.
            "tartip_development_operators": [
                {
                    "id": operator.id,
                    "name": operator.name,
                    "roles": list(operator.roles),
                    "regions": list(operator.regions),
                }
                for operator in OPERATORS
            ],
        }

    def routes(self) -> list[Route]:
        return [
            Route("/oidc/.well-known/openid-configuration", self._discovery),
            Route("/oidc/jwks", self._jwks),
            Route("/oidc/token", self._token, methods=["POST"]),
        ]

    async def _discovery(self, _: Request) -> JSONResponse:
        return JSONResponse(self.discovery())

    async def _jwks(self, _: Request) -> JSONResponse:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def _token(self, request: Request) -> JSONResponse:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_FORM_BYTES:
                return _refused("the form is too long")
        form = parse_qs(body.decode("utf-8", "replace"))
        operator = operator_with(form.get("operator", [""])[0])
        if operator is None:
            return _refused("no such operator")
        answer = {
            "access_token": self.token(operator),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _refused(reason: str) -> JSONResponse:
    return JSONResponse({"error": "invalid_grant", "error_description": reason}, status_code=400)
