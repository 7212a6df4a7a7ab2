"""`tartip verify`: checks every service's audit log and the records of its decisions, from outside.

It fetches all sealed entries, recomputes the Merkle root from them, and compares it with the root
in the log's signed head. It checks the signature of the head, and the inclusion proofs of some
entries. It also checks that the log still begins with the entries that it had at the last check
without faults: the size and root that the log had then are stored in `verify.json` of the data
folder. The log has to extend each head that was kept outside of the data folder, or that a witness
has kept (`--witness`). Each record must be as its newest entry decided.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.clients.audit_log import AuditLogReader
from tartip_cli.clients.kept_heads import kept_heads
from tartip_cli.data_dir import write_private
from tartip_cli.failures import Exit
from tartip_cli.settings import Settings, read_settings
from tartip_cli.topology import GRPC_SERVICES

if TYPE_CHECKING:
    from tartip.audit.v1 import audit_pb2

# Differences that are named; the rest are counted.
_NAMED_MAX = 10


@dataclass
class Finding:
    """The result of checking one service's log, which is consistent if `wrong` is empty."""

    service: str
    entries: int = 0
    sealed_at: str = ""
    root: str = ""
    proofs: int = 0
    # Heads kept elsewhere that the log was compared with, and records of decisions.
    heads: int = 0
    records: int = 0
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
    witness: Annotated[
        list[Path],
        typer.Option(
            "--witness", exists=True, dir_okay=False, help="A file of heads that a witness kept."
        ),
    ] = [],  # noqa: B006 (Typer's way to say "none")
    as_json: AsJson = False,
) -> None:
    """Check every service's sealed audit log and the records of its decisions; exit code 1 if a
    check fails."""
    findings = asyncio.run(_verify(read_settings(), samples, witness))
    fits = not any(finding.wrong for finding in findings)
    if as_json:
        print_json({"fits": fits, "logs": [asdict(finding) for finding in findings]})
    else:
        console.print(_table(findings))
    if not fits:
        raise typer.Exit(Exit.UNEXPECTED)


async def _verify(settings: Settings, samples: int, witness: list[Path]) -> list[Finding]:
    from chassis.refusals import Refusal

    from tartip_cli.clients.partner import outside

    findings = []
    async with outside(settings) as mesh:
        kept = kept_heads(settings, witness)
        path = mesh.home.path / "verify.json"
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        for service in GRPC_SERVICES:
            finding = Finding(service.name)
            with console.status(f"checking {service.name} …"):
                try:
                    log = AuditLogReader(mesh, service)
                    leaves = await _check(log, known, finding, samples)
                    finding.heads = kept.compare(service.name, leaves, finding.wrong)
                    await _check_decisions(log, leaves, finding)
                except Refusal as refusal:
                    finding.wrong.append(f"{refusal.reason}: {refusal.message.en}")
            findings.append(finding)
        write_private(path, json.dumps(known, indent=1).encode())
    return findings


async def _check(
    log: AuditLogReader, known: dict[str, Any], finding: Finding, samples: int
) -> list[bytes]:
    """Check a log, and return the hashes of its leaves."""
    from audit_log import merkle
    from audit_log.heads import SignedHead

    head = await log.head()
    if head is None:
        earlier = known.get(finding.service)
        if earlier is not None:
            finding.wrong.append(f"a log of {earlier['tree_size']} entries is empty now")
        return []
    leaves = await log.leaves(head.tree_size, finding.wrong)
    finding.entries, finding.root = head.tree_size, head.root.hex()
    finding.sealed_at = head.sealed_at.ToJsonString()
    if len(leaves) != head.tree_size:
        finding.wrong.append(f"{len(leaves)} entries under a head of {head.tree_size}")
        return leaves
    if merkle.root(leaves) != head.root:
        finding.wrong.append("the entries do not give the root that was signed")
    if not SignedHead.from_message(head).is_signed:
        finding.wrong.append("the head's signature is wrong")
    _compare_with_earlier(known, finding, head, leaves)
    chosen = random.sample(range(len(leaves)), min(samples, len(leaves)))
    for index in chosen:
        path = await log.path(index, head.tree_size)
        if not merkle.verify_inclusion(leaves[index], index, head.tree_size, path, head.root):
            finding.wrong.append(f"the proof of entry {index} does not hold")
        finding.proofs += 1
    return leaves


async def _check_decisions(log: AuditLogReader, leaves: list[bytes], finding: Finding) -> None:
    """Compare the records with what their newest entries decided, once there are entries."""
    if not leaves:
        return
    differences: list[str] = []
    async for record in log.decided_records():
        differences += log.decisions.differences(record, leaves)
    differences += log.decisions.missing()
    finding.records = log.decisions.records
    finding.wrong += differences[:_NAMED_MAX]
    if len(differences) > _NAMED_MAX:
        finding.wrong.append(f"and {len(differences) - _NAMED_MAX} more records differ")


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
    for header in ("entries", "sealed", "root", "proofs", "heads", "records", "verdict"):
        number = header in ("entries", "proofs", "heads", "records")
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
            str(finding.heads),
            str(finding.records),
            "[dim]nothing yet" if empty else verdict,
        )
    return table
