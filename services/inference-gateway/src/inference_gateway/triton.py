"""Calls Triton, the inference server, over mutual TLS; each call sends one batch to one model.

No other module calls Triton. A call that was sent is never cancelled, because a cancelled call can
crash this version of Triton. If a caller stops waiting, the call runs to its end and counts as in
flight until then.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from chassis.refusals import Kind, Refusal
from host.certificates import CertificateFiles, CurrentCertificate, Pem
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

MOST_IN_FLIGHT: Final = 8
MOST_OF_ONE: Final = 6
"""The most calls in flight to one model, so that one that hangs leaves room for the others."""
CALL_SECONDS: Final = 180.0
"""Far above what so few calls take together, so that a sent call ends and is not cancelled."""
READY_SECONDS: Final = 2.0
CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    # A Triton that was started again is found within a second, not within grpc's two minutes.
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),
    # One that hangs for less than a minute has nothing cancelled under it.
    ("grpc.keepalive_timeout_ms", 40_000),
)
FINGERPRINT_SECONDS: Final = 60.0
"""How long a fingerprint is kept: models change only when Triton starts anew."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that this service needs from Triton; `output` is the name of its output tensor."""

    output: str


MODELS: Final[Mapping[str, Served]] = {
    "object_detector": Served("anchors"),
    "plate_detector": Served("cells"),
    "plate_reader": Served("chances"),
    "plate_reader_kz": Served("chances"),
    "face_detector": Served("cells"),
    "face_embedder": Served("template"),
}


OUTSIDE_OUTPUT: Final = "boxes"
CATALOGUE: Final = "object_detector"
"""The model whose configuration names the outside models; Triton's own list of models is closed to
callers."""


@dataclass(frozen=True, slots=True)
class OutsideModel:
    """An external object model, added by its manifest (`docs/adding-a-model.md`).

    The input is [n, h, w, 3]: n pictures of BGR bytes; h and w are multiples of 32. The output is
    [n, k, 6]: k rows for each picture. Each row is one object: x1, y1, x2, y2 in pixels of the
    input, the score from 0 to 1 and the index in `labels`. A row with the score 0 is empty.
    """

    labels: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """The models listed by the server, and the time until which the list is cached."""

    fingerprint: str = ""
    outside: Mapping[str, OutsideModel] = field(default_factory=dict)
    until: float = 0.0


class ModelsAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "MODELS_AWAY"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Paths of the PEM files for mutual TLS; `authority` is the CA's certificate."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(slots=True)
class _Connection:
    """A client with the certificate that it presents, and its number of calls in flight."""

    pem: Pem
    client: Any
    calls: int = 0


class TritonModels:
    """Runs the models served by Triton, with limits on calls in flight. Create it in the running
    event loop; call `close` at the end."""

    def __init__(
        self, address: str, credentials: Credentials, *, most_in_flight: int = MOST_IN_FLIGHT
    ) -> None:
        self._address = address
        self._credentials = credentials
        files = CertificateFiles(credentials.certificate, credentials.key)
        self._certificate = CurrentCertificate(files)
        self._connection = self._connected()
        self._catalogue = _Catalogue()
        self._places = asyncio.Semaphore(most_in_flight)
        self._of_model: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(min(MOST_OF_ONE, most_in_flight))
        )
        self._in_flight: set[asyncio.Future[npt.NDArray[np.float32]]] = set()

    async def run(
        self, model: str, images: npt.NDArray[np.uint8], *, seconds: float
    ) -> npt.NDArray[np.float32]:
        """Return a model's output [n, …] for images [n, h, w, channels].

        Raises ModelsAway if Triton fails, or if there is no output after `seconds`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        try:
            async with asyncio.timeout_at(until):
                await self._place_for(model)
        except TimeoutError as problem:
            raise ModelsAway(facts={"model": model}) from problem
        call = asyncio.ensure_future(self._call(model, images))
        self._in_flight.add(call)
        call.add_done_callback(partial(self._ended, model))
        done, _ = await asyncio.wait({call}, timeout=max(0.0, until - loop.time()))
        if not done:
            raise ModelsAway(facts={"model": model})
        try:
            return call.result()
        except InferenceServerException as problem:
            self._catalogue = _Catalogue()  # whoever answers next may serve other models
            raise ModelsAway(facts={"model": model}) from problem

    async def ready(self) -> bool:
        """Whether every model that this service needs is loaded."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                async with self._current() as client:
                    return await _serves_all(client)
        except (TimeoutError, InferenceServerException):
            return False

    async def fingerprint(self) -> str:
        """A digest of the weights of all served models, cached for a minute. Raises ModelsAway."""
        return (await self._asked()).fingerprint

    async def object_models(self) -> Mapping[str, OutsideModel]:
        """Return the external object models that Triton serves, by name. Raises ModelsAway."""
        return (await self._asked()).outside

    async def close(self) -> None:
        """Wait for the calls in flight, then close the connection."""
        if self._in_flight:
            await asyncio.wait(set(self._in_flight))
        await self._connection.client.close()

    async def _call(self, model: str, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        image = triton.InferInput("image", list(images.shape), "UINT8")
        image.set_data_from_numpy(images)
        async with self._current() as client:
            answer: Any = await client.infer(model, [image], client_timeout=CALL_SECONDS)
        output = MODELS[model].output if model in MODELS else OUTSIDE_OUTPUT
        result: npt.NDArray[np.float32] = answer.as_numpy(output)
        return result

    @asynccontextmanager
    async def _current(self) -> AsyncIterator[Any]:
        """A client that presents the certificate of today, for one call.

        After a renewal there is a new one; the last call on the old one closes it.
        """
        if self._certificate.get() is not self._connection.pem:
            replaced, self._connection = self._connection, self._connected()
            if not replaced.calls:
                await replaced.client.close()
        connection = self._connection
        connection.calls += 1
        try:
            yield connection.client
        finally:
            connection.calls -= 1
            if connection is not self._connection and not connection.calls:
                await connection.client.close()

    def _connected(self) -> "_Connection":
        pem, files = self._certificate.get(), self._credentials
        client = triton.InferenceServerClient(
            self._address,
            ssl=True,
            root_certificates=str(files.authority),
            private_key=str(files.key),
            certificate_chain=str(files.certificate),
            channel_args=list(CHANNEL_OPTIONS),
        )
        return _Connection(pem, client)

    async def _asked(self) -> _Catalogue:
        now = asyncio.get_running_loop().time()
        if now < self._catalogue.until:
            return self._catalogue
        try:
            own = {model: await self._parameters(model) for model in sorted(MODELS)}
            named = own[CATALOGUE].get("outside_models", "")
            outside = {
                name: await self._parameters(name)
                for name in sorted(filter(None, named.split(",")))
            }
        except InferenceServerException as problem:
            raise ModelsAway from problem
        weights = {name: told.get("fingerprint", "unknown") for name, told in own.items()}
        weights |= {name: told.get("fingerprint", "unknown") for name, told in outside.items()}
        listed = "\n".join(f"{name}={digest}" for name, digest in weights.items())
        self._catalogue = _Catalogue(
            "sha256:" + hashlib.sha256(listed.encode()).hexdigest(),
            {
                name: OutsideModel(tuple(told["labels"].split(",")), weights[name])
                for name, told in outside.items()
            },
            now + FINGERPRINT_SECONDS,
        )
        return self._catalogue

    async def _parameters(self, model: str) -> dict[str, str]:
        async with self._current() as client:
            answer: Any = await client.get_model_config(
                model, as_json=True, client_timeout=READY_SECONDS
            )
        told = answer["config"].get("parameters", {})
        return {key: value.get("string_value", "") for key, value in told.items()}

    async def _place_for(self, model: str) -> None:
        await self._of_model[model].acquire()
        try:
            await self._places.acquire()
        except BaseException:
            self._of_model[model].release()
            raise

    def _ended(self, model: str, call: asyncio.Future[npt.NDArray[np.float32]]) -> None:
        self._in_flight.discard(call)
        self._places.release()
        self._of_model[model].release()
        if not call.cancelled():
            call.exception()  # seen, so that a call nobody waits for ends quietly


async def _serves_all(client: Any) -> bool:
    for model in MODELS:
        if not await client.is_model_ready(model):
            return False
    return True
