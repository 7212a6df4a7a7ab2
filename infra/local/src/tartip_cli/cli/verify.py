"""`tartip verify`: checks the audit logs, the records of decisions, the events and the evidence
from outside the services.

For each service, the command fetches the newest signed head of the audit log and all entries that
this head covers. It recomputes the Merkle root of these entries and compares it with the root in
the head. It checks the signature of the head and the inclusion proofs of some entries.

It then checks that no old entry was changed or removed. The log must begin with the entries that it
had at the last check without faults. The size and root of that check are stored in `verify.json` of
the data folder. The log must also extend each head that was kept outside the data folder. The
supervisor and witnesses keep such heads (`--witness`); a witness is a partner.

Each record must agree with the newest decision about it in the log. Finally, the records of the
service are compared with each other and with the event streams (`verify_records`).
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
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings
from tartip_cli.topology import GRPC_SERVICES, INFERENCE_GATEWAY

if TYPE_CHECKING:
    from tartip.audit.v1 import audit_pb2

    from tartip_cli.clients.damaged_evidence import EvidenceFinding
    from tartip_cli.topology import Service

# Differences that are named; the rest are counted.
_NAMED_MAX = 10


@dataclass
class Finding:
    """The result of checking one service's audit log and records: how much was checked, and which
    faults were found. The field `wrong` lists the faults. The fields `sealed_at` (RFC 3339), `root`
    (hex) and `entries` describe the log's newest head: its time, its Merkle root and its number of
    entries."""

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
    events: Annotated[
        int,
        typer.Option(
            "--events", min=0, help="How many published events per service to find in the streams."
        ),
    ] = 200,
    service: Annotated[
        str, typer.Option("--service", metavar="NAME", help="Check the records of one service.")
    ] = "",
    witness: Annotated[
        list[Path],
        typer.Option(
            "--witness", exists=True, dir_okay=False, help="A file of heads that a witness kept."
        ),
    ] = [],  # noqa: B006 (Typer's way to say "none")
    as_json: AsJson = False,
) -> None:
    """Check every service's audit log, decisions, events and keys, and list damaged evidence.

    Exit code 1 if a check fails or evidence is damaged.
    """
    services = tuple(known for known in GRPC_SERVICES if service in ("", known.name))
    if not services:
        names = ", ".join(known.name for known in GRPC_SERVICES)
        raise Failure(f"there is no service {service} with records: {names}", Exit.USAGE)
    amounts = _Amounts(samples, events)
    findings, evidence = asyncio.run(_verify(read_settings(), services, amounts, witness))
    fits = not any(finding.wrong for finding in findings)
    fits &= evidence is None or evidence.fits
    if as_json:
        logs = [asdict(finding) for finding in findings]
        found = asdict(evidence) if evidence else None
        print_json({"fits": fits, "logs": logs, "evidence": found})
    else:
        console.print(_table(findings))
        # A table of a narrow terminal has no room for what is wrong.
        for line in [f"{one.service}: {wrong}" for one in findings for wrong in one.wrong]:
            console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        for line in _evidence_lines(evidence) if evidence else ():
            console.print(line, highlight=False, soft_wrap=True)
    if not fits:
        raise typer.Exit(Exit.UNEXPECTED)


@dataclass(frozen=True)
class _Amounts:
    """How many entries per service to prove the inclusion of, and how many published events per
    service to find in the streams."""

    samples: int
    events: int


async def _verify(
    settings: Settings, services: tuple[Service, ...], amounts: _Amounts, witness: list[Path]
) -> tuple[list[Finding], EvidenceFinding | None]:
    from chassis.refusals import Refusal

    from tartip_cli.cli.verify_records import check_records, streams_of
    from tartip_cli.clients.damaged_evidence import find_damaged
    from tartip_cli.clients.partner import outside

    findings = []
    async with outside(settings) as mesh, streams_of(mesh, settings) as streams:
        kept = kept_heads(settings, witness)
        path = mesh.home.path / "verify.json"
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        for service in services:
            finding = Finding(service.name)
            with console.status(f"checking {service.name} …"):
                try:
                    log = AuditLogReader(mesh, service)
                    leaves = await _check(log, known, finding, amounts.samples)
                    finding.heads = kept.compare(service.name, leaves, finding.wrong)
                    await _check_decisions(log, leaves, finding)
                    finding.wrong += await check_records(mesh, service, streams, amounts.events)
                except Refusal as refusal:
                    finding.wrong.append(f"{refusal.reason}: {refusal.message.en}")
            findings.append(finding)
        write_private(path, json.dumps(known, indent=1).encode())
        if INFERENCE_GATEWAY not in services:
            return findings, None
        with console.status("asking for damaged evidence …"):
            return findings, await find_damaged(mesh)


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


def _evidence_lines(evidence: EvidenceFinding) -> list[str]:
    if evidence.wrong:
        return [f"evidence: [red]{evidence.wrong}"]
    last = evidence.last_round_ended_at[:10]
    ended = f", the round before ended on {last}" if last else ""
    read = f"read to {evidence.read_share:.0%} in this round{ended}"
    if not evidence.damaged:
        return [f"evidence: [green]nothing damaged is known[/]; {read}"]
    named = [f"  {one.sha256} {one.damage}: {one.object_path}" for one in evidence.damaged]
    return [f"evidence: [red]{len(named)} damaged[/] (docs/runbooks.md); {read}", *named]


def _table(findings: list[Finding]) -> Table:
    table = Table(title="Audit logs", title_justify="left")
    table.add_column("service", no_wrap=True)
    for header in ("entries", "sealed", "root", "proofs", "heads", "records", "verdict"):
        number = header in ("entries", "proofs", "heads", "records")
        table.add_column(header, justify="right" if number else "left", no_wrap=True)
    table.columns[-1].min_width = len("99 wrong")
    for finding in findings:
        verdict = f"[red]{len(finding.wrong)} wrong" if finding.wrong else "[green]fits"
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
