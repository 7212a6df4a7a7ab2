"""Rules and dashboards are those of the objectives, and every alert fires when it should alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from citizen_reports.grpc_api.apps import POLICY as APPS_POLICY
from tartip_cli.alerts.__main__ import made
from tartip_cli.alerts.boards import boards
from tartip_cli.alerts.objectives import Objectives, read_objectives

from .catalogue import ROOT, catalogue

OTEL = ROOT / "infra" / "otel"
RULES = OTEL / "prometheus" / "rules.yaml"
CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())
# Prometheus's own series, and functions, operators and labels of the expressions.
OF_PROMETHEUS = {"up", "ALERTS"}
EVALUATED = sorted({case.get("evaluated", "1m") for case in CASES.values()})
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


@pytest.fixture(scope="module")
def objectives() -> Objectives:
    return read_objectives(OTEL / "objectives.yaml")


@pytest.mark.parametrize("path", made(ROOT), ids=lambda path: path.name)
def test_what_is_made_from_the_objectives_is_up_to_date(path: Path) -> None:
    assert path.read_text() == made(ROOT)[path], "run `make alerts`"


def test_every_metric_in_a_rule_or_picture_is_in_the_catalogue(objectives: Objectives) -> None:
    expressions = [alert.promql for alert in objectives.alerts]
    expressions += [one.errors("5m") for one in objectives.objectives]
    for board in boards(objectives, OTEL / "dashboards.yaml"):
        expressions += [query.expr for panel in board.panels for query in panel.queries]
    known = {entry.prometheus for entry in catalogue().values()} | OF_PROMETHEUS
    for expression in expressions:
        for name in re.findall(r"\b(?:tartip|rpc|http|db)_\w+|\bup\b", _without_labels(expression)):
            assert re.sub("_(bucket|count|sum)$", "", name) in known or name in known, name


def _without_labels(expression: str) -> str:
    """The expression without what stands in braces or after by, on and the like."""
    bare = re.sub(r"\{[^}]*\}", "", expression)
    return re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", "", bare)


def test_a_report_is_quick_by_whichever_call_it_is_handed_in(objectives: Objectives) -> None:
    """Calls that hand a report in are those with a reserve for emergencies."""
    quick = next(one for one in objectives.objectives if one.name == "reports-quick")
    for selector in (quick.all, quick.good):
        (methods,) = re.findall(r'rpc_method=~"([^"]*)"', selector)
        measured = {rpc for rpc in APPS_POLICY if re.fullmatch(methods, rpc.lstrip("/"))}
        assert measured == {rpc for rpc, rule in APPS_POLICY.items() if rule.urgent}


def test_every_alert_has_a_case(objectives: Objectives) -> None:
    alerts = [burn.alert for burn in objectives.burns]
    alerts += [alert.name for alert in objectives.alerts]
    assert sorted(CASES) == sorted(alerts)


def test_prometheus_takes_rules_and_configuration(promtool: str) -> None:
    run(promtool, "check", "rules", str(RULES))
    run(promtool, "check", "config", str(OTEL / "prometheus" / "prometheus.yaml"))


@pytest.mark.parametrize("evaluated", EVALUATED)
def test_every_alert_fires_alone_and_ends_after_its_cause(
    promtool: str, tmp_path: Path, evaluated: str
) -> None:
    file = tmp_path / "cases.yaml"
    together = {
        "rule_files": [str(RULES)],
        "evaluation_interval": evaluated,
        # Alerts look five minutes back at most: at the ratios of the same evaluation.
        "group_eval_order": [
            group["name"] for group in yaml.safe_load(RULES.read_text())["groups"]
        ],
        "tests": [
            case_of(name, **case)
            for name, case in CASES.items()
            if case.get("evaluated", "1m") == evaluated
        ],
    }
    file.write_text(yaml.safe_dump(together))
    run(promtool, "test", "rules", str(file))


def case_of(
    name: str,
    *,
    series: dict[str, str],
    fires: str,
    quiet: str,
    also: tuple[str, ...] = (),
    interval: str = "1m",
    evaluated: str = "1m",
) -> dict[str, Any]:
    """A test in promtool's format."""
    alone = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted([name, *also])]
    return {
        "name": name,
        "interval": interval,
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {"expr": FIRING, "eval_time": fires, "exp_samples": alone},
            {"expr": FIRING, "eval_time": quiet, "exp_samples": []},
        ],
    }


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("left out: promtool is not installed (Debian: apt-get install prometheus)")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
