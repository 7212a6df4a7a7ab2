"""Decides which calls use the log-in `desk`, which cannot see complaints about officers."""

from chassis.transaction import Scope

# Begins a scope's `lookup` for a decision after which its report may be hidden from its caller.
DECIDES = "decides:"


def is_at_desk(scope: Scope) -> bool:
    """Return whether a call needs no complaints: a call of another service, or of an operator
    without the role internal_security, unless it makes or settles a complaint. Apps are not
    included: they see their own complaints."""
    may_see = "internal_security" in scope.roles or scope.lookup.startswith(DECIDES)
    return scope.kind in ("operator", "service") and not may_see
