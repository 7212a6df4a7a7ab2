"""Makes the handbook of alerts, `docs/alerts.md`: for each alert what it means and what to do."""

from collections.abc import Iterator

from tartip_cli.alerts.objectives import Alert, Burn, Objectives

_HEAD = """\
# Alerts

`make alerts` makes this page from [infra/otel/objectives.yaml](../infra/otel/objectives.yaml); edit
that file. The annotation `runbook` of each alert leads to its section here. How to take rules and
dashboards into use: [telemetry.md](telemetry.md).

*page*: somebody looks now, also at night. *ticket*: somebody looks on the next working day.
"""
_BURN = """\
The error budget is used up {rate}: over {long}, and still over {short}.
At this speed the budget of {days} days is gone in {gone}.

**Do:** The label `objective` names the promise. An alert on a cause mostly stands beside this one:
begin with that. The dashboard *calls* shows which method fails, and with which status; the log of
its service has a line with a `trace_id` for each fault, and `tartip trace` shows that call.
"""


def handbook(objectives: Objectives) -> str:
    """Return the handbook in Markdown: a table of the objectives, and a section for each alert."""
    return "\n".join([_HEAD, *_promises(objectives), *_sections(objectives)])


def _promises(objectives: Objectives) -> Iterator[str]:
    yield f"## Objectives, over {objectives.days} days\n"
    yield "| objective | promise | percent |\n|---|---|---|"
    for one in objectives.objectives:
        yield f"| `{one.name}` | {one.promise} | {one.percent:g} |"
    yield ""


def _sections(objectives: Objectives) -> Iterator[str]:
    for burn in objectives.burns:
        yield f"## {burn.alert}\n\n*{burn.severity}* · any objective\n"
        yield _BURN.format(
            rate=_times(burn),
            long=burn.long,
            short=burn.short,
            days=objectives.days,
            gone=_gone(burn, objectives.days),
        )
    for alert in objectives.alerts:
        yield _section(alert)


def _gone(burn: Burn, days: int) -> str:
    return (
        f"{days / burn.rate:.0f} days" if days > burn.rate else f"{days * 24 / burn.rate:.0f} hours"
    )


def _times(burn: Burn) -> str:
    return (
        f"{burn.rate:g} times as fast as it may be" if burn.rate != 1 else "faster than it may be"
    )


def _section(alert: Alert) -> str:
    wait = "" if alert.wait == "0m" else f" for {alert.wait}"
    return (
        f"## {alert.name}\n\n*{alert.severity}* · `{alert.promql}`{wait}\n\n"
        f"{alert.meaning}\n\n**Do:** {alert.do}\n"
    )
