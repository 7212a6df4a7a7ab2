"""Decides which calls use the database log-in `desk`, which sees no complaints about officers."""

from chassis.transaction import Scope

# How `Scope.lookup` begins for a decision that may hide a report from the operator who decides.
DECIDES = "decides:"


def is_at_desk(scope: Scope) -> bool:
    """Return whether a call with this scope uses the log-in `desk`: calls of other services, and of
    operators without the role internal_security, except for decisions (see DECIDES). Calls of apps
    do not, because an app sees the complaints that it sent."""
    may_see = "internal_security" in scope.roles or scope.lookup.startswith(DECIDES)
    return scope.kind in ("operator", "service") and not may_see
