"""Compares the records of a service with all entries of its audit log, for verifiers.

The comparison needs neither a database nor a key. The log states which decision about a record is
the newest. If a record names another decision, or differs from what was decided, something other
than the service changed the record.
"""

from collections.abc import Iterator, Sequence

from chassis.audit_entry import read_entry
from tartip.audit.v1 import audit_pb2

from audit_log.record_kinds import BASELINE, EACH_DIGITS, hashes_in

# Record and kind, such as ("fine:123", "payment").
Key = tuple[str, str]


class DecisionAudit:
    """Finds records that contradict a service's audit log; reports each difference as a sentence.

    Call `note` for all entries of the log in order, `differences` for all records, then `missing`.
    """

    def __init__(self) -> None:
        self.records = 0
        self._newest: dict[Key, int] = {}
        self._found: set[Key] = set()
        self._vouched_again: list[tuple[Key, int]] = []

    def note(self, entry: audit_pb2.AuditEntry) -> None:
        """Remember that an entry is the newest decision about each record that it names."""
        read = read_entry(entry.canonical) if entry.canonical else None
        if read is not None:
            keys = list(hashes_in(read.object_ref, read.facts))
        else:
            keys = [(entry.alias, kind) for kind in entry.record_kinds]
        for key in keys:
            if read is not None and read.action == BASELINE and key in self._newest:
                self._vouched_again.append((key, entry.leaf_index))
            self._newest[key] = entry.leaf_index

    def differences(
        self, record: audit_pb2.DecidedRecord, leaves: Sequence[bytes]
    ) -> Iterator[str]:
        """Yield a sentence for each thing that is wrong with a record.

        `leaves` are the leaf hashes of the log by leaf index. If a record names an entry that was
        sealed after these leaves, that record is not compared with the log.
        """
        key, name = (record.object, record.kind), _name(record.object, record.kind)
        self.records += 1
        if key in self._found:
            yield f"{name}: there is more than one"
        self._found.add(key)
        index, newest = record.leaf_index, self._newest.get(key)
        if not record.leaf_hash:
            yield f"{name}: it names no entry of the log"
        elif not record.decided_sha256:
            yield f"{name}: {_entry(index)}, which it names, did not decide it"
        elif not _is_as_decided(record):
            yield f"{name}: its fields are not those that {_entry(index)} decided"
        elif 0 <= index < len(leaves) and leaves[index] != record.leaf_hash:
            yield f"{name}: {_entry(index)}, which it names, is not that of the log"
        elif 0 <= index < len(leaves) and newest != index:
            yield f"{name}: it is as {_entry(index)} decided, but the newest is {_entry(newest)}"
        yield from (f"{name}: {text}" for text in record.contradictions)

    def missing(self) -> Iterator[str]:
        """Yield a sentence for each record that an entry is about but that no longer exists.

        Also yields one for each record that got a `baseline` entry although it had an entry before;
        only migrations may write `baseline` entries. Call this method after `differences` was
        called for all records.
        """
        for (name, kind), index in self._newest.items():
            if (name, kind) not in self._found:
                yield f"{_name(name, kind)}: {_entry(index)} decided it, and it is gone"
        for (name, kind), index in self._vouched_again:
            yield f"{_name(name, kind)}: {_entry(index)} vouches for it again, without a decision"


def _is_as_decided(record: audit_pb2.DecidedRecord) -> bool:
    """Whether a record's present hash begins with the hash in its entry, whole or shortened."""
    stated = record.decided_sha256
    return len(stated) >= EACH_DIGITS // 2 and record.current_sha256.startswith(stated)


def _name(name: str, kind: str) -> str:
    """A record as it is named: "fine:123", or "fine:123 (payment)" for another kind."""
    return name if name.partition(":")[0] == kind else f"{name} ({kind})"


def _entry(index: int | None) -> str:
    return "none" if index is None else "an entry not sealed yet" if index < 0 else f"entry {index}"
