"""Which calls use the log-in for the desk, for which complaints about officers do not exist."""

from chassis.transaction import Scope

# Of a scope's `lookup`: a decision that may hide its report from the one who takes it.
DECIDES = "decides:"


def is_at_desk(scope: Scope) -> bool:
    """Return whether a call can do without complaints: those of other services, and of operators
    who are not of internal security, but for the decisions that make or settle a complaint. Apps
    see their own complaints."""
    may_see = "internal_security" in scope.roles or scope.lookup.startswith(DECIDES)
    return scope.kind in ("operator", "service") and not may_see
