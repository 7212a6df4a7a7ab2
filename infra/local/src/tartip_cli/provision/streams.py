"""Reads `infra/nats/streams.yaml`, and derives from it the streams, consumers and users of NATS,
with the permissions of the users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

PROVISIONER = "provisioner"
FEED_PROVISIONER = "feed-provisioner"
_API = "$JS.API"


@dataclass(frozen=True)
class Permissions:
    """The NATS subjects that a user may publish to, and those that it may subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class User:
    """A NATS user, and which subjects it may use.

    The fields `publishes` and `consumes` map JetStream streams to subjects. The field `follows`
    names streams of the live feed, which has copies of events for the operator gateway. The fields
    `publishes_core` and `subscribes` list subjects of NATS without JetStream.
    """

    name: str
    publishes: dict[str, list[str]]
    consumes: dict[str, list[str]]
    follows: list[str]
    publishes_core: list[str]
    subscribes: list[str]

    def permissions(self) -> Permissions:
        publish = [*self.publishes_core]
        for subjects in self.publishes.values():
            publish += subjects
        for stream in sorted({*self.publishes, *self.consumes, *self.follows}):
            publish.append(f"{_API}.STREAM.INFO.{stream}")
        for stream in self.consumes:
            publish += [
                f"{_API}.CONSUMER.INFO.{stream}.{self.name}",
                f"{_API}.CONSUMER.MSG.NEXT.{stream}.{self.name}",
                f"$JS.ACK.{stream}.{self.name}.>",
            ]
        for stream in self.follows:
            # In the account of the feed, which holds nothing else.
            publish += [f"{_API}.CONSUMER.CREATE.{stream}", f"$JS.FC.{stream}.>"]
        return Permissions(tuple(publish), (inbox_of(self.name), *self.subscribes))


@dataclass(frozen=True)
class Topology:
    """The streams, consumers and users of NATS, in two accounts: one for the mesh, and one for the
    live feed.

    The account of the mesh exports the subjects of `feed_streams` to the account of the feed.
    Nothing is exported in the other direction.
    """

    streams: tuple[StreamConfig, ...]
    consumers: dict[str, tuple[ConsumerConfig, ...]]
    users: tuple[User, ...]
    feed_streams: tuple[StreamConfig, ...]

    def with_replicas(self, number: int) -> Topology:
        """Return a copy of this topology in which each stream has `number` replicas. A consumer has
        as many replicas as its stream."""
        return replace(
            self,
            streams=tuple(replace(stream, num_replicas=number) for stream in self.streams),
            feed_streams=tuple(replace(s, num_replicas=number) for s in self.feed_streams),
        )

    @property
    def mesh_users(self) -> tuple[User, ...]:
        return tuple(user for user in self.users if not user.follows)

    @property
    def feed_users(self) -> tuple[User, ...]:
        return tuple(user for user in self.users if user.follows)

    @property
    def feed_subjects(self) -> tuple[str, ...]:
        return tuple(subject for stream in self.feed_streams for subject in stream.subjects or [])

    @property
    def user_names(self) -> tuple[str, ...]:
        return (PROVISIONER, FEED_PROVISIONER, *(user.name for user in self.users))

    @property
    def stored_bytes(self) -> int:
        return sum(stream.max_bytes or 0 for stream in (*self.streams, *self.feed_streams))


def inbox_of(user: str) -> str:
    return f"_INBOX_{user}.>"


def read_topology(path: Path) -> Topology:
    document = yaml.safe_load(path.read_text())
    defaults = document["defaults"]
    users = tuple(_user(name, fields or {}) for name, fields in document["users"].items())
    streams = tuple(
        _stream(name, {**defaults["stream"], **fields})
        for name, fields in document["streams"].items()
    )
    consumers = {
        stream: tuple(
            _consumer(user.name, user.consumes[stream], defaults["consumer"])
            for user in users
            if stream in user.consumes
        )
        for stream in document["streams"]
    }
    followed = {stream for user in users for stream in user.follows}
    feed_streams = tuple(
        _feed_stream(stream, defaults["feed"]) for stream in streams if stream.name in followed
    )
    return Topology(streams, consumers, users, feed_streams)


def _user(name: str, fields: dict[str, object]) -> User:
    known = {"publishes", "consumes", "follows", "publishes_core", "subscribes"}
    if unknown := set(fields) - known:
        raise ValueError(f"streams.yaml: user {name} has unknown fields {sorted(unknown)}")
    return User(
        name=name,
        publishes=_map(fields.get("publishes")),
        consumes=_map(fields.get("consumes")),
        follows=_list(fields.get("follows")),
        publishes_core=_list(fields.get("publishes_core")),
        subscribes=_list(fields.get("subscribes")),
    )


def _stream(name: str, fields: dict[str, object]) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=_list(fields["subjects"]),
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        max_age=float(str(fields["max_age_seconds"])),
        max_bytes=int(str(fields["max_bytes"])),
        duplicate_window=float(str(fields["duplicate_window_seconds"])),
        deny_delete=True,
        deny_purge=True,
        allow_direct=False,
        num_replicas=1,
    )


def _feed_stream(stream: StreamConfig, fields: dict[str, object]) -> StreamConfig:
    """The feed's copy of a stream: it drops the oldest events, since nothing depends on it."""
    return replace(
        stream,
        discard=DiscardPolicy.OLD,
        max_age=float(str(fields["max_age_seconds"])),
        max_bytes=int(str(fields["max_bytes"])),
        no_ack=True,
    )


def _consumer(name: str, subjects: list[str], fields: dict[str, object]) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=name,
        name=name,
        filter_subjects=subjects,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=float(str(fields["ack_wait_seconds"])),
        max_deliver=int(str(fields["max_deliver"])),
        max_ack_pending=int(str(fields["max_ack_pending"])),
    )


def _map(value: object) -> dict[str, list[str]]:
    assert value is None or isinstance(value, dict)
    return {str(key): _list(item) for key, item in (value or {}).items()}


def _list(value: object) -> list[str]:
    assert value is None or isinstance(value, list)
    return [str(item) for item in value or []]
