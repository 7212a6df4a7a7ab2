"""`tartip verify`: checks every service's audit log from outside.

It fetches all sealed entries, recomputes the Merkle root from them, and compares it with the root
in the log's signed head. It checks the signature of the head, and the inclusion proofs of some
entries. It also checks that the log still begins with the entries that it had at the last check
without faults: the size and root that the log had then are stored in `verify.json` of the data
folder.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.data_dir import write_private
from tartip_cli.failures import Exit
from tartip_cli.settings import Settings, read_settings
from tartip_cli.topology import GRPC_SERVICES, Service

if TYPE_CHECKING:
    from tartip.audit.v1 import audit_pb2

    from tartip_cli.clients.partner import Outside

_SECONDS = 30.0
_PURPOSE = "tartip verify: the log is checked from outside"
_PAGE = 200


@dataclass
class Finding:
    """The result of checking one service's log, which is consistent if `wrong` is empty."""

    service: str
    entries: int = 0
    sealed_at: str = ""
    root: str = ""
    proofs: int = 0
    wrong: list[str] = field(default_factory=list)


def register(app: App) -> None:
    app.command()(verify)


def verify(
    samples: Annotated[
        int,
        typer.Option(
            "--samples", min=0, help="How many entries per service to prove the inclusion of."
        ),
    ] = 8,
    as_json: AsJson = False,
) -> None:
    """Check every service's sealed audit log; exit code 1 if a check fails."""
    findings = asyncio.run(_verify(read_settings(), samples))
    fits = not any(finding.wrong for finding in findings)
    if as_json:
        print_json({"fits": fits, "logs": [asdict(finding) for finding in findings]})
    else:
        console.print(_table(findings))
    if not fits:
        raise typer.Exit(Exit.UNEXPECTED)


async def _verify(settings: Settings, samples: int) -> list[Finding]:
    from chassis.refusals import Refusal

    from tartip_cli.clients.partner import outside

    findings = []
    async with outside(settings) as mesh:
        path = mesh.home.path / "verify.json"
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        for service in GRPC_SERVICES:
            finding = Finding(service.name)
            with console.status(f"checking {service.name} …"):
                try:
                    await _check(mesh, service, known, finding, samples)
                except Refusal as refusal:
                    finding.wrong.append(f"{refusal.reason}: {refusal.message.en}")
            findings.append(finding)
        write_private(path, json.dumps(known, indent=1).encode())
    return findings


async def _check(
    mesh: Outside, service: Service, known: dict[str, Any], finding: Finding, samples: int
) -> None:
    from audit_log import merkle

    log = _Log(mesh, service)
    head = await log.head()
    if head is None:
        earlier = known.get(service.name)
        if earlier is not None:
            finding.wrong.append(f"a log of {earlier['tree_size']} entries is empty now")
        return
    leaves = await log.leaves(head.tree_size, finding.wrong)
    finding.entries, finding.root = head.tree_size, head.root.hex()
    finding.sealed_at = head.sealed_at.ToJsonString()
    if len(leaves) != head.tree_size:
        finding.wrong.append(f"{len(leaves)} entries under a head of {head.tree_size}")
        return
    if merkle.root(leaves) != head.root:
        finding.wrong.append("the entries do not give the root that was signed")
    if not _signed(head):
        finding.wrong.append("the head's signature is wrong")
    _compare_with_earlier(known, finding, head, leaves)
    chosen = random.sample(range(len(leaves)), min(samples, len(leaves)))
    for index in chosen:
        path = await log.path(index, head.tree_size)
        if not merkle.verify_inclusion(leaves[index], index, head.tree_size, path, head.root):
            finding.wrong.append(f"the proof of entry {index} does not hold")
        finding.proofs += 1


class _Log:
    """One service's audit log as `tartip.audit.v1` serves it."""

    def __init__(self, mesh: Outside, service: Service) -> None:
        from tartip.audit.v1 import audit_pb2_grpc

        self._stub = audit_pb2_grpc.AuditStub(mesh.as_command_line(service))

    async def head(self) -> audit_pb2.Head | None:
        """The newest signed head; None before the first sealing."""
        from chassis.channels import peers_refusals
        from chassis.refusals import Refusal
        from tartip.audit.v1 import audit_pb2

        try:
            with peers_refusals():
                return (await self._stub.GetHead(audit_pb2.GetHeadRequest(), timeout=_SECONDS)).head
        except Refusal as refusal:
            if refusal.reason != "NOTHING_SEALED":
                raise
            return None

    async def leaves(self, tree_size: int, wrong: list[str]) -> list[bytes]:
        """The hashes of the first `tree_size` leaves: computed from an entry if its content is
        given, else as the service gives them. Stops and adds to `wrong` if an entry is missing."""
        from audit_log import merkle
        from chassis.channels import peers_refusals
        from chassis.purpose import purpose_metadata
        from tartip.audit.v1 import audit_pb2
        from tartip.common.v1 import common_pb2 as common

        leaves: list[bytes] = []
        token = ""
        while len(leaves) < tree_size:
            request = audit_pb2.ListEntriesRequest(
                page=common.Page(size=_PAGE, token=token), with_hidden=True
            )
            with peers_refusals():
                page = await self._stub.ListEntries(
                    request, timeout=_SECONDS, metadata=purpose_metadata(_PURPOSE)
                )
            for entry in page.entries[: tree_size - len(leaves)]:
                if entry.leaf_index != len(leaves):
                    wrong.append(f"entry {len(leaves)} is missing")
                    return leaves
                canonical = entry.canonical
                leaves.append(merkle.leaf_hash(canonical) if canonical else entry.leaf_hash)
            token = page.next_page_token
            if not token:
                break
        return leaves

    async def path(self, index: int, tree_size: int) -> list[bytes]:
        from chassis.channels import peers_refusals
        from tartip.audit.v1 import audit_pb2

        request = audit_pb2.ProveInclusionRequest(leaf_index=index, tree_size=tree_size)
        with peers_refusals():
            return list((await self._stub.ProveInclusion(request, timeout=_SECONDS)).path)


def _signed(head: audit_pb2.Head) -> bool:
    from audit_log.sealer import head_text
    from chassis.clock import from_timestamp
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text = head_text(head.service, head.tree_size, head.root, from_timestamp(head.sealed_at))
    try:
        Ed25519PublicKey.from_public_bytes(head.public_key).verify(head.signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _compare_with_earlier(
    known: dict[str, Any], finding: Finding, head: audit_pb2.Head, leaves: list[bytes]
) -> None:
    """Check that the log extends the stored head under the same key; then store the new head."""
    from audit_log import merkle

    earlier = known.get(finding.service)
    if head.service != finding.service:
        finding.wrong.append(f"the head is of another service: {head.service}")
    if earlier is not None:
        size = int(earlier["tree_size"])
        if earlier["public_key"] != head.public_key.hex():
            finding.wrong.append("the signing key is not the one of an earlier check")
        if size > head.tree_size:
            finding.wrong.append(f"{size} entries were sealed before, now {head.tree_size}")
        elif merkle.root(leaves[:size]).hex() != earlier["root"]:
            finding.wrong.append(f"the first {size} entries are not what they were")
    if not finding.wrong:
        known[finding.service] = {
            "tree_size": head.tree_size,
            "root": head.root.hex(),
            "public_key": head.public_key.hex(),
        }


def _table(findings: list[Finding]) -> Table:
    table = Table(title="Audit logs", title_justify="left")
    table.add_column("service", no_wrap=True)
    for header in ("entries", "sealed", "root", "proofs", "verdict"):
        number = header in ("entries", "proofs")
        table.add_column(header, justify="right" if number else "left", no_wrap=header != "verdict")
    for finding in findings:
        verdict = "[red]" + "; ".join(finding.wrong) if finding.wrong else "[green]fits"
        empty = finding.entries == 0 and not finding.wrong
        table.add_row(
            finding.service,
            str(finding.entries),
            finding.sealed_at[11:19],
            finding.root[:12],
            str(finding.proofs),
            "[dim]nothing yet" if empty else verdict,
        )
    return table
