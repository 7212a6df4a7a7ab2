"""A witness keeps heads, asks for proofs, and signs: with the contract alone."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from chassis.clock import from_timestamp, new_id
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tartip.audit.v1 import audit_pb2 as pb
from tartip.partners.v1 import partners_pb2

from .conftest import As, until
from .test_partners import NewBank, addition, administrator, change_of, new_bank

__all__ = ("administrator", "new_bank")
WITNESS = partners_pb2.PARTNER_SCOPE_WITNESS
NewWitness = Callable[[], Awaitable["Witness"]]


def head_text(head: Any) -> bytes:
    moment = from_timestamp(head.sealed_at).isoformat()
    text = f"tartip-audit-v1\n{head.service}\n{head.tree_size}\n{head.root.hex()}\n{moment}"
    return text.encode()


def root_of(heads: list[Any]) -> bytes:
    """RFC 9162, 2.1.1, over what the heads' signatures cover."""
    leaves = [hashlib.sha256(b"\0" + head_text(head)).digest() for head in heads]

    def tree(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return part[0]
        half = 1 << ((len(part) - 1).bit_length() - 1)
        return hashlib.sha256(b"\1" + tree(part[:half]) + tree(part[half:])).digest()

    return tree(leaves)


@dataclass
class Witness:
    """What a bank writes: it knows the contract and RFC 9162, and nothing of the service's code."""

    name: str
    bank: As
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    async def head(self, *kept: pb.Head) -> pb.GetMeshHeadResponse:
        known = [pb.KeptHead(service=each.service, tree_size=each.tree_size) for each in kept]
        answer: pb.GetMeshHeadResponse = await self.bank.call(
            "GetMeshHead", pb.GetMeshHeadRequest(kept=known)
        )
        return answer

    def cosigned(self, head: pb.MeshHead) -> pb.AddCosignatureRequest:
        moment = from_timestamp(head.signed_at).isoformat()
        text = f"tartip-witness-v1\n{self.name}\n{head.root.hex()}\n{moment}"
        return pb.AddCosignatureRequest(root=head.root, signature=self.key.sign(text.encode()))


@pytest.fixture
def new_witness(new_bank: NewBank, administrator: As) -> NewWitness:
    async def make() -> Witness:
        found = Witness(*new_bank())
        added = addition(found.name, WITNESS, witness_key=found.public_key)
        await administrator.call("AddPartner", added)
        return found

    return make


async def test_a_witness_checks_and_signs_what_it_is_given(
    new_witness: NewWitness, as_: Callable[..., As]
) -> None:
    witness = await new_witness()
    head = (await until(lambda: given(witness))).head
    assert head.root == root_of(list(head.heads))
    moment = from_timestamp(head.signed_at).isoformat()
    Ed25519PublicKey.from_public_bytes(head.public_key).verify(
        head.signature, f"tartip-mesh-v1\n{head.root.hex()}\n{moment}".encode()
    )
    for each in head.heads:
        key = Ed25519PublicKey.from_public_bytes(each.public_key)
        key.verify(each.signature, head_text(each))
    signed = (await witness.bank.call("AddCosignature", witness.cosigned(head))).cosignature
    assert (signed.witness, signed.head, signed.public_key) == (
        witness.name,
        head,
        witness.public_key,
    )
    again = await witness.bank.call("AddCosignature", witness.cosigned(head))
    assert again.cosignature == signed
    listed = await as_("tartip-cli").call("ListCosignatures", pb.ListCosignaturesRequest())
    assert signed in listed.cosignatures


async def given(witness: Witness) -> Any:
    """Once the service has sealed its first entries."""
    refusals = ("NOTHING_SEALED",)
    try:
        return await witness.head()
    except Exception as error:
        if getattr(error, "reason", "") not in refusals:
            raise
        return None


async def test_a_wrong_signature_an_unknown_root_and_a_missing_key_are_refused(
    new_witness: NewWitness, new_bank: NewBank, administrator: As
) -> None:
    witness, other = await new_witness(), await new_witness()
    head = (await until(lambda: given(witness))).head
    wrong = other.cosigned(head)
    assert (await witness.bank.refused("AddCosignature", wrong)).reason == "COSIGNATURE_WRONG"
    unknown = pb.AddCosignatureRequest(root=new_id().bytes * 2, signature=wrong.signature)
    assert (await witness.bank.refused("AddCosignature", unknown)).reason == "MESH_HEAD_UNKNOWN"
    larger = pb.GetMeshHeadRequest(kept=[pb.KeptHead(service="fines", tree_size=10**9)])
    assert (await witness.bank.refused("GetMeshHead", larger)).reason == "TREE_SIZE_UNKNOWN"
    name, bank = new_bank()
    added = (await administrator.call("AddPartner", addition(name, WITNESS))).partner
    refused = await bank.refused("AddCosignature", witness.cosigned(head))
    assert refused.reason == "WITNESS_KEY_MISSING"
    payments = partners_pb2.PARTNER_SCOPE_PAYMENTS
    await administrator.call("ChangePartner", change_of(added, payments))
    request = pb.GetMeshHeadRequest()
    assert (await bank.refused("GetMeshHead", request)).reason == "SCOPE_MISSING"
