"""Health probes: /healthz tells whether the process runs, /readyz whether it can serve requests.

Both answer from memory: `host.health` checks the process and its peers at short intervals.
"""

from fastapi import APIRouter, Request, Response
from host.health import Health

from operator_gateway.schemas import Answer

router = APIRouter(tags=["health"])


class Alive(Answer):
    alive: bool


class PeerReadiness(Answer):
    name: str
    ready: bool
    reason: str


class Readiness(Answer):
    ready: bool
    degraded: bool
    reasons: dict[str, str]
    peers: list[PeerReadiness]
    live_feed: bool


@router.get("/healthz")
async def healthz() -> Alive:
    return Alive(alive=True)


@router.get("/readyz")
async def readyz(request: Request, response: Response) -> Readiness:
    """200 if the gateway and every peer are ready, else 503.

    `reasons` has a reason for each part that does not work. If `degraded` is true and the status is
    200, all requests are answered, but something else, such as the live feed, does not work.
    """
    health: Health = request.app.state.health
    await health.looked()
    wrong, degraded = health.reasons(""), health.degraded
    response.status_code = 503 if wrong else 200
    return Readiness(
        ready=not wrong,
        degraded=bool(degraded),
        reasons={**wrong, **degraded},
        peers=[
            PeerReadiness(name=name, ready=not reason, reason=reason)
            for name, reason in health.peers.items()
        ],
        live_feed="broker" not in degraded,
    )
