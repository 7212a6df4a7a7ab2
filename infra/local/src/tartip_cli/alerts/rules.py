"""Makes Prometheus's rules from the objectives: recording rules for the shares of errors and for
the error budgets, and the alerts."""

from typing import Any

from tartip_cli.alerts.objectives import Alert, Burn, Objectives

# The budget of a whole month is reckoned over millions of samples, and moves slowly.
_SLOWLY = "2m"
HANDBOOK = "docs/alerts.md"


def rules(objectives: Objectives) -> dict[str, Any]:
    """Return the content of a rules file, in Prometheus's format."""
    windows = dict.fromkeys(
        window for burn in objectives.burns for window in (burn.short, burn.long)
    )
    ratios = [
        _recorded(f"tartip:errors:ratio_rate{window}", one.errors(window), one.name)
        for window in windows
        for one in objectives.objectives
    ]
    budgets = [
        _recorded("tartip:objective:budget", f"vector({one.budget:g})", one.name)
        for one in objectives.objectives
    ]
    month = f"{objectives.days}d"
    months = [
        _recorded(f"tartip:errors:ratio_rate{month}", one.errors(month), one.name)
        for one in objectives.objectives
    ]
    alerts = [_burning(burn) for burn in objectives.burns]
    alerts += [_alerting(alert) for alert in objectives.alerts]
    return {
        "groups": [
            {"name": "tartip-objectives", "rules": budgets + ratios},
            {"name": "tartip-month", "interval": _SLOWLY, "rules": months},
            {"name": "tartip-alerts", "rules": alerts},
        ]
    }


def _recorded(name: str, expression: str, objective: str) -> dict[str, Any]:
    return {"record": name, "expr": expression, "labels": {"objective": objective}}


def _burning(burn: Burn) -> dict[str, Any]:
    limit = f"on (objective) {burn.rate:g} * tartip:objective:budget"
    exceeded = " and on (objective) ".join(
        f"tartip:errors:ratio_rate{window} > {limit}" for window in (burn.long, burn.short)
    )
    return {
        "alert": burn.alert,
        "expr": exceeded,
        "labels": {"severity": burn.severity},
        "annotations": {
            "summary": (
                f"The error budget of {{{{ $labels.objective }}}} is used up {burn.rate:g} times"
                " as fast as it may be"
            ),
            "meaning": f"So it was over {burn.long} and is over {burn.short} still.",
            "runbook": f"{HANDBOOK}#{burn.alert.lower()}",
        },
    }


def _alerting(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.promql,
        "for": alert.wait,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "meaning": alert.meaning,
            "do": alert.do,
            "runbook": f"{HANDBOOK}#{alert.name.lower()}",
        },
    }
