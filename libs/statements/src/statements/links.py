"""Groups the events and audit entries of a transaction, so that each can name its counterparts.

A transaction may have a batch of items, each of which adds an event and an entry, in either order.
If every event named every entry, the number of names would grow with the square of the batch. So
events and entries that were added one after the other form a group, and only the members of a group
name each other.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

E = TypeVar("E")  # an event
A = TypeVar("A")  # an audit entry


@dataclass
class Group(Generic[E, A]):
    """Events and audit entries that name each other by their ids."""

    events: list[E] = field(default_factory=list)
    entries: list[A] = field(default_factory=list)


class Links(Generic[E, A]):
    """The events and audit entries of a transaction, grouped in the order in which they were added.

    A new group begins as soon as the current group has both kinds and the kind that came first is
    added again. If the last group has only one kind, it is merged with the group before it.
    """

    def __init__(self) -> None:
        self._groups: list[Group[E, A]] = []
        self._begins_with_event = False

    def add_event(self, event: E) -> None:
        """Add an event to the current group, or begin a new group with it."""
        self._group(is_event=True).events.append(event)

    def add_entry(self, entry: A) -> None:
        """Add an audit entry to the current group, or begin a new group with it."""
        self._group(is_event=False).entries.append(entry)

    def groups(self) -> list[Group[E, A]]:
        """Return all groups; call it when nothing more will be added.

        Each group has both events and entries. If there is only one group, it may lack either kind.
        """
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
