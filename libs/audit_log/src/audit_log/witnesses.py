"""The servicer of `tartip.audit.v1.Witnesses`, and a loop that asks all services for their heads.

A mesh head is one signed root over the newest heads of all services' audit logs. Witnesses are
partners who sign mesh heads and keep them outside the mesh. The newest heads of the services are in
memory; a mesh head given to a witness is stored, so that any process of the service can check the
witness's signature.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from chassis.call_context import current_caller
from chassis.channels import peers_refusals
from chassis.clock import from_timestamp, to_timestamp
from chassis.db import Database
from chassis.identity import allow
from chassis.pages import Pages
from chassis.refusals import Kind, PageTokenWrong, Refusal
from chassis.transaction import SYSTEM
from host.runtime import Chassis
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from vault.keyring import public_bytes

from audit_log import cosignatures
from audit_log.api import NothingSealed, TreeSizeUnknown
from audit_log.heads import is_signed
from audit_log.mesh_heads import mesh_root, mesh_text, witness_text

SERVICE = "/tartip.audit.v1.Witnesses/"
SCOPE = "witness"
_READERS = allow(partners=True, scope=SCOPE, services=("tartip-cli",), roles=("auditor",))
POLICY = {
    f"{SERVICE}GetMeshHead": _READERS,
    f"{SERVICE}ListCosignatures": _READERS,
    f"{SERVICE}AddCosignature": allow(partners=True, scope=SCOPE),
}
EVERY_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
log = logging.getLogger(__name__)
Peers = Mapping[str, audit_pb2_grpc.AuditStub]


class MeshHeadUnknown(Refusal):
    """No mesh head with this root was given to a witness."""

    kind = Kind.NOT_FOUND
    code = "MESH_HEAD_UNKNOWN"


class WitnessKeyMissing(Refusal):
    """The partner may act as a witness, but has no registered public key."""

    kind = Kind.STATE
    code = "WITNESS_KEY_MISSING"


class CosignatureWrong(Refusal):
    """The signature is not the partner's signature of the mesh head."""

    kind = Kind.INVALID
    code = "COSIGNATURE_WRONG"


class NewestHeads:
    """The newest audit log head of each service, updated once a minute.

    If a service does not answer, the last head that it gave stays in place.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._heads: dict[str, audit_pb2.Head] = {}

    async def run(self) -> None:
        """Ask all services for their newest heads once a minute, until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(EVERY_SECONDS)

    async def ask(self) -> None:
        """Ask all services once for their newest heads; failures are only logged."""
        await asyncio.gather(*(self._ask(name, stub) for name, stub in self._peers.items()))

    async def all(self) -> dict[str, audit_pb2.Head]:
        """Return the newest heads by service, ordered by name; ask the services if there are none
        yet.

        Raises NothingSealed if no service gives a head.
        """
        if not self._heads:
            await self.ask()
        if not self._heads:
            raise NothingSealed
        return dict(sorted(self._heads.items()))

    async def extension(
        self, kept: audit_pb2.KeptHead, head: audit_pb2.Head | None
    ) -> audit_pb2.HeadExtension:
        """Return the proof that `head` extends `kept`, an older head of one service's log.

        Raises TreeSizeUnknown if `head` is None or has the smaller tree, or if the service is
        unknown. If the service gives no proof, raises the service's refusal.
        """
        stub: Any = self._peers.get(kept.service)
        if head is None or stub is None or not 0 < kept.tree_size <= head.tree_size:
            raise TreeSizeUnknown(facts={"service": kept.service})
        request = audit_pb2.ProveConsistencyRequest(
            first_size=kept.tree_size, second_size=head.tree_size
        )
        with peers_refusals():
            answer = await stub.ProveConsistency(request, timeout=_ANSWER_SECONDS)
        return audit_pb2.HeadExtension(service=kept.service, path=answer.path)

    async def _ask(self, name: str, stub: Any) -> None:
        try:
            with peers_refusals():
                answer = await stub.GetHead(audit_pb2.GetHeadRequest(), timeout=_ANSWER_SECONDS)
            self._heads[name] = answer.head
        except Refusal as refusal:
            log.warning("%s gives no head: %s", name, refusal.reason)


class WitnessApi(audit_pb2_grpc.WitnessesServicer):
    """The RPCs for witnesses, who confirm mesh heads by signing them."""

    def __init__(
        self, chassis: Chassis[Any], heads: NewestHeads, key_of: Callable[[str], bytes]
    ) -> None:
        """`key_of` returns the registered public key of a partner, or b""."""
        self._db: Database = chassis.db
        self._clock = chassis.clock
        self._heads = heads
        self._key_of = key_of
        self._key = chassis.db.keyring.signing_key("audit")
        self._pages = Pages(chassis.db.keyring)

    async def GetMeshHead(
        self, request: audit_pb2.GetMeshHeadRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.GetMeshHeadResponse:
        """Return the newest mesh head, with proofs that it extends the heads kept by the witness.

        The request lists the kept heads, one for each log, in the field `kept`. Raises
        NothingSealed or TreeSizeUnknown, or the refusal of a service that gives no proof.
        """
        heads = await self._heads.all()
        extensions = [
            await self._heads.extension(kept, heads.get(kept.service)) for kept in request.kept
        ]
        head = self._signed(list(heads.values()))
        async with self._db.begin(SYSTEM) as tx:
            await cosignatures.add_head(tx, head)
            known = await cosignatures.find_head(tx, head.root)
        return audit_pb2.GetMeshHeadResponse(head=known, extensions=extensions)

    async def AddCosignature(
        self, request: audit_pb2.AddCosignatureRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.AddCosignatureResponse:
        """Store the calling witness's signature of a mesh head and return it as stored.

        If the witness signed this head before, the earlier signature is returned. Raises
        MeshHeadUnknown, WitnessKeyMissing or CosignatureWrong.
        """
        caller = current_caller()
        key = self._key_of(caller.name)
        if not key:
            raise WitnessKeyMissing
        async with self._db.begin(SYSTEM) as tx:
            head = await cosignatures.find_head(tx, request.root)
        if head is None:
            raise MeshHeadUnknown
        text = witness_text(caller.name, head.root, from_timestamp(head.signed_at))
        if not is_signed(text, request.signature, key):
            raise CosignatureWrong
        signed = audit_pb2.Cosignature(
            witness=caller.name,
            head=head,
            signature=request.signature,
            public_key=key,
            received_at=to_timestamp(self._clock()),
        )
        async with self._db.begin(caller.scope) as tx:
            if await cosignatures.add_cosignature(tx, signed):
                tx.audit("cosign", f"mesh_head:{head.root.hex()}")
            stored = await cosignatures.get_cosignature(tx, caller.name, head.root)
        return audit_pb2.AddCosignatureResponse(cosignature=stored)

    async def ListCosignatures(
        self, request: audit_pb2.ListCosignaturesRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ListCosignaturesResponse:
        """Return a page of the witnesses' signatures, the newest first. Raises BadRequest or
        PageTokenWrong."""
        page = self._pages.read(request, current_caller())
        async with self._db.begin(SYSTEM) as tx:
            found = await cosignatures.page(tx, _before(page.spec.after), page.spec.size)
        return audit_pb2.ListCosignaturesResponse(
            cosignatures=[signed for _, signed in found],
            next_page_token=page.next_token([(str(position),) for position, _ in found]),
        )

    def _signed(self, heads: list[audit_pb2.Head]) -> audit_pb2.MeshHead:
        root, now = mesh_root(heads), self._clock()
        return audit_pb2.MeshHead(
            heads=heads,
            root=root,
            signed_at=to_timestamp(now),
            signature=self._key.sign(mesh_text(root, now)),
            public_key=public_bytes(self._key),
        )


def serve_witnesses(
    chassis: Chassis[Any], addresses: Mapping[str, str], key_of: Callable[[str], bytes]
) -> None:
    """Serve `tartip.audit.v1.Witnesses` for the audit logs of the services in `addresses`.

    `addresses` maps the name of each service to its address; a service whose address is "" is left
    out. `key_of` returns the registered public key of a partner by name, or b"" if there is none.
    """
    peers = {
        name: audit_pb2_grpc.AuditStub(chassis.channels.to(address, name))
        for name, address in addresses.items()
        if address
    }
    heads = NewestHeads(peers)
    chassis.serve(
        audit_pb2.DESCRIPTOR.services_by_name["Witnesses"],
        audit_pb2_grpc.add_WitnessesServicer_to_server,
        WitnessApi(chassis, heads, key_of),
        POLICY,
    )
    chassis.loop("heads of all services", heads.run)


def _before(after: tuple[str, ...]) -> int | None:
    if not after:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", after[0]):
        raise PageTokenWrong
    return int(after[0])
