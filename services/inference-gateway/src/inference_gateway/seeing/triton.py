"""The only module that speaks to Triton: one batch to one model, over mutual TLS.

A call that was sent is never cancelled: this Triton can crash when that happens. Who stops waiting
leaves the call to end by itself, and it keeps its place among those in flight until then.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from chassis.refusals import Kind, Refusal, Says
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

MOST_IN_FLIGHT: Final = 8
CALL_SECONDS: Final = 60.0
"""Far above Triton's own queue timeout (5 s), so that Triton gives up first, in order."""
READY_SECONDS: Final = 2.0
CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    # A Triton that was started again is found within a second, not within grpc's two minutes.
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),
)
FINGERPRINT_SECONDS: Final = 60.0
"""How long a fingerprint is kept: models change only when Triton starts anew."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model's output as this service knows it."""

    output: str


MODELS: Final[Mapping[str, Served]] = {
    "object_detector": Served("anchors"),
    "plate_detector": Served("cells"),
    "plate_reader": Served("chances"),
    "plate_reader_kz": Served("chances"),
}


class ModelsAway(Refusal):
    kind = Kind.AWAY
    code = "MODELS_AWAY"
    says = Says(
        en="The models do not answer at the moment. Try again; the same id is safe.",
        ru="Модели сейчас не отвечают. Повторите с тем же идентификатором.",
        kk="Модельдер қазір жауап бермейді. Сол идентификатормен қайталаңыз.",
    )


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM files for mutual TLS."""

    certificate: Path
    key: Path
    authority: Path


class TritonModels:
    """Bounded access to the served models. Make it inside the running loop; close it at the end."""

    def __init__(
        self, address: str, credentials: Credentials, *, most_in_flight: int = MOST_IN_FLIGHT
    ) -> None:
        self._client = triton.InferenceServerClient(
            address,
            ssl=True,
            root_certificates=str(credentials.authority),
            private_key=str(credentials.key),
            certificate_chain=str(credentials.certificate),
            channel_args=list(CHANNEL_OPTIONS),
        )
        self._fingerprint, self._fingerprint_until = "", 0.0
        self._places = asyncio.Semaphore(most_in_flight)
        self._in_flight: set[asyncio.Future[npt.NDArray[np.float32]]] = set()

    async def run(
        self, model: str, images: npt.NDArray[np.uint8], *, seconds: float
    ) -> npt.NDArray[np.float32]:
        """The model's answer to a batch, or `ModelsAway` when it fails or takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        try:
            async with asyncio.timeout_at(until):
                await self._places.acquire()
        except TimeoutError as problem:
            raise ModelsAway(facts={"model": model}) from problem
        call = asyncio.ensure_future(self._call(model, images))
        self._in_flight.add(call)
        call.add_done_callback(self._ended)
        done, _ = await asyncio.wait({call}, timeout=max(0.0, until - loop.time()))
        if not done:
            raise ModelsAway(facts={"model": model})
        try:
            return call.result()
        except InferenceServerException as problem:
            raise ModelsAway(facts={"model": model}) from problem

    async def ready(self) -> bool:
        """Whether every model that this service needs is loaded."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                for model in MODELS:
                    if not await self._client.is_model_ready(model):
                        return False
        except (TimeoutError, InferenceServerException):
            return False
        return True

    async def fingerprint(self) -> str:
        """One digest over the weights of all models, as the server names them; or `ModelsAway`."""
        now = asyncio.get_running_loop().time()
        if now < self._fingerprint_until:
            return self._fingerprint
        told = []
        try:
            for model in sorted(MODELS):
                answer: Any = await self._client.get_model_config(
                    model, as_json=True, client_timeout=READY_SECONDS
                )
                known = answer["config"].get("parameters", {}).get("fingerprint", {})
                told.append(f"{model}={known.get('string_value', 'unknown')}")
        except InferenceServerException as problem:
            raise ModelsAway from problem
        self._fingerprint = "sha256:" + hashlib.sha256("\n".join(told).encode()).hexdigest()
        self._fingerprint_until = now + FINGERPRINT_SECONDS
        return self._fingerprint

    async def close(self) -> None:
        """Wait for what is in flight, then hang up."""
        if self._in_flight:
            await asyncio.wait(set(self._in_flight))
        await self._client.close()

    async def _call(self, model: str, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        image = triton.InferInput("image", list(images.shape), "UINT8")
        image.set_data_from_numpy(images)
        answer: Any = await self._client.infer(model, [image], client_timeout=CALL_SECONDS)
        result: npt.NDArray[np.float32] = answer.as_numpy(MODELS[model].output)
        return result

    def _ended(self, call: asyncio.Future[npt.NDArray[np.float32]]) -> None:
        self._in_flight.discard(call)
        self._places.release()
        if not call.cancelled():
            call.exception()  # seen, so that a call nobody waits for ends quietly
