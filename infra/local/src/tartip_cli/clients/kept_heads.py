"""Copies of the audit logs' signed heads, stored outside the data folder. The supervisor and
witnesses keep such copies; a witness is a partner. If a log was changed after a head was signed,
the log does not agree with the head.

Each file has one head per line (`audit_log.heads.SignedHead.as_line`). The supervisor's files are
in the folder `TARTIP_HEADS_DIR`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings
from tartip_cli.supervisor.heads import folder_of

if TYPE_CHECKING:
    from audit_log.heads import SignedHead


@dataclass
class KeptHeads:
    """The stored heads of all services' audit logs. The field `by_file` has the heads of each file
    that was read."""

    by_file: dict[Path, list[SignedHead]] = field(default_factory=dict)

    def compare(self, service: str, leaves: Sequence[bytes], wrong: list[str]) -> int:
        """Compare a service's log with all stored heads of this log, and return the number of these
        heads. `leaves` are the hashes of the log's entries, in order. Faults are added to `wrong`
        as texts. A fault is a head with a wrong signature, or a log that does not begin with the
        entries of a head."""
        from audit_log.heads import not_extended

        count = 0
        for path, heads in self.by_file.items():
            mine = [head for head in heads if head.service == service]
            count += len(mine)
            wrong += [
                f"{path.name} has a head of {head.tree_size} entries that nobody signed"
                for head in mine
                if not head.is_signed
            ][:1]
            for head in not_extended(mine, leaves):
                wrong.append(
                    f"the log does not begin with the {head.tree_size} entries of which "
                    f"{path.name} has the head (of {head.sealed_at:%Y-%m-%d %H:%M} UTC)"
                )
                break
        return count


def kept_heads(settings: Settings, witnesses: Sequence[Path]) -> KeptHeads:
    """Read the heads that the supervisor stored for this data folder, and those in the files
    `witnesses`. An incomplete last line of a file is ignored. Raises Failure if a file cannot be
    read, or if another line is malformed."""
    folder = folder_of(settings.heads_dir, DataDir(settings.home))
    files = [*sorted(folder.glob("*.jsonl")), *witnesses]
    return KeptHeads({path: list(_heads_in(path)) for path in files})


def _heads_in(path: Path) -> Iterator[SignedHead]:
    from audit_log.heads import SignedHead

    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", Exit.USAGE) from error
    for number, line in enumerate(lines, 1):
        try:
            yield SignedHead.from_line(line)
        except ValueError:
            if number < len(lines):  # the last one may be half written
                raise Failure(f"{path}, line {number}: not a head", Exit.USAGE) from None
