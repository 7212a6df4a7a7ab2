"""gRPC channels to peers, renewed together with the service's certificate.

After a renewal, new calls use a new channel with the new certificate. The old channel is closed
once the calls that began on it have ended.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakSet

import grpc
from chassis.channels import Channels

from host.certificates import CertificateFiles, CurrentCertificate, Pem


class RenewingChannels(Channels):
    """The `Channels` of the chassis, except that new calls present a renewed certificate."""

    def __init__(self, *, cert: Path, key: Path, ca: Path) -> None:
        """Raises CertificateUnusable, or OSError if the authority's file cannot be read."""
        self._files = {"cert": cert, "key": key, "ca": ca}
        self._certificate = CurrentCertificate(CertificateFiles(cert, key))
        super().__init__(cert=cert, key=key, ca=ca)

    def opened(self, address: str, peer: str) -> grpc.aio.Channel:
        """Return a new channel, to be closed by the caller, that follows certificate renewals."""

        def open_now() -> grpc.aio.Channel:
            pem, authority = self._certificate.get(), self._files["ca"].read_bytes()
            self._credentials = grpc.ssl_channel_credentials(authority, pem.key, pem.certificate)
            return super(RenewingChannels, self).opened(address, peer)

        return RenewedChannel(self._certificate, open_now)


class RenewedChannel(grpc.aio.Channel):
    """A channel that makes each call over an inner channel with the current certificate.

    Stubs may keep this channel for ever, since only the inner channel is replaced after a renewal.
    `certificate` returns the current pair, and `open_now` opens an inner channel that presents it.
    """

    def __init__(
        self, certificate: CurrentCertificate, open_now: Callable[[], grpc.aio.Channel]
    ) -> None:
        self._certificate = certificate
        self._open_now = open_now
        self._channel = _Generation(certificate.get(), open_now())
        # With calls that have not ended.
        self._replaced: list[_Generation] = []

    def unary_unary(self, *method: Any, **options: Any) -> Any:
        """Return a callable that makes each call over the inner channel current at that moment."""
        return _Method(self, "unary_unary", method, options)

    def unary_stream(self, *method: Any, **options: Any) -> Any:
        """Return a callable as `unary_unary` does, for a method with a stream of replies."""
        return _Method(self, "unary_stream", method, options)

    def stream_unary(self, *method: Any, **options: Any) -> Any:
        """Return a callable as `unary_unary` does, for a method with a stream of requests."""
        return _Method(self, "stream_unary", method, options)

    def stream_stream(self, *method: Any, **options: Any) -> Any:
        """Return a callable as `unary_unary` does, for a method with streams both ways."""
        return _Method(self, "stream_stream", method, options)

    def current(self) -> "_Generation":
        """Return the inner channel for new calls; open a new one if the certificate was renewed."""
        pem = self._certificate.get()
        if pem is not self._channel.pem:
            self._replaced.append(self._channel)
            self._channel = _Generation(pem, self._open_now())
        if self._replaced:
            # The library closes a channel that nothing refers to any more.
            self._replaced = [channel for channel in self._replaced if channel.is_busy]
        return self._channel

    async def close(self, grace: float | None = None) -> None:
        """Close the current inner channel and all earlier ones. Running calls have `grace` seconds
        to end; if `grace` is None, they are cancelled at once."""
        for generation in (*self._replaced, self._channel):
            await generation.channel.close(grace)
        self._replaced = []

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the connectivity of the inner channel for new calls."""
        return self.current().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state of the inner channel is not `last_observed_state`."""
        await self.current().channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the inner channel for new calls is connected."""
        await self.current().channel.channel_ready()

    async def __aenter__(self) -> "RenewedChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Generation:
    """A channel with one certificate, and what uses it: methods as they were first called, and open
    calls."""

    def __init__(self, pem: Pem, channel: grpc.aio.Channel) -> None:
        self.pem = pem
        self.channel = channel
        self._methods: dict[_Method, Any] = {}
        self._calls: WeakSet[Any] = WeakSet()

    @property
    def is_busy(self) -> bool:
        return not all(_has_ended(call) for call in self._calls)

    def begin(self, method: "_Method", request: Any, options: Any) -> Any:
        callable_ = self._methods.get(method)
        if callable_ is None:
            callable_ = self._methods[method] = method.on(self.channel)
        call = callable_(*request, **options)
        self._calls.add(call)
        return call


class _Method:
    """A method of a peer; calling it begins a call on the current channel."""

    def __init__(
        self, channel: RenewedChannel, shape: str, method: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        self._channel = channel
        self._shape = shape
        self._method = method
        self._options = options

    def on(self, channel: grpc.aio.Channel) -> Any:
        """Return the callable of `channel` for this method."""
        return getattr(channel, self._shape)(*self._method, **self._options)

    def __call__(self, *request: Any, **options: Any) -> Any:
        return self._channel.current().begin(self, request, options)


def _has_ended(call: Any) -> bool:
    try:
        return bool(call.done())
    except Exception:  # what an interceptor raised: the call never began
        return True
