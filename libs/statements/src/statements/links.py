"""Pairs the events of a transaction with its audit entries, so that each can name the other.

A transaction may hold a batch: each of its items adds an event and an entry, in one order or the
other. If every event named every entry, the names would grow with the square of the batch. So
neighbours form a group, and only the members of a group name each other.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

E = TypeVar("E")  # an event
A = TypeVar("A")  # an audit entry


@dataclass
class Group(Generic[E, A]):
    """Events and audit entries that name each other."""

    events: list[E] = field(default_factory=list)
    entries: list[A] = field(default_factory=list)


class Links(Generic[E, A]):
    """The events and audit entries of a transaction, in the order in which they were added.

    A group ends when it has both kinds and the kind that it began with is added again. What is left
    at the end with one kind alone belongs to the group before it.
    """

    def __init__(self) -> None:
        self._groups: list[Group[E, A]] = []
        self._begins_with_event = False

    def add_event(self, event: E) -> None:
        """Add an event."""
        self._group(is_event=True).events.append(event)

    def add_entry(self, entry: A) -> None:
        """Add an audit entry."""
        self._group(is_event=False).entries.append(entry)

    def groups(self) -> list[Group[E, A]]:
        """The groups; only the first may lack events or entries, if there is no other."""
        if len(self._groups) > 1 and not _has_both(self._groups[-1]):
            last = self._groups.pop()
            self._groups[-1].events += last.events
            self._groups[-1].entries += last.entries
        return self._groups

    def _group(self, *, is_event: bool) -> Group[E, A]:
        begins_again = is_event == self._begins_with_event
        if not self._groups or (begins_again and _has_both(self._groups[-1])):
            self._groups.append(Group())
            self._begins_with_event = is_event
        return self._groups[-1]


def _has_both(group: Group[E, A]) -> bool:
    return bool(group.events and group.entries)
