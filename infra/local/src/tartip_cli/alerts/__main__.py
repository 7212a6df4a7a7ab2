"""Writes Prometheus's rules, Grafana's dashboards and the handbook of alerts.

    make alerts

The written files are part of the repository, so that they can be used without this program. With
`--check`, the program writes nothing, and exits with 1 if a file is not up to date.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import yaml

from tartip_cli.alerts.boards import boards, grafana
from tartip_cli.alerts.handbook import handbook
from tartip_cli.alerts.objectives import read_objectives
from tartip_cli.alerts.rules import rules
from tartip_cli.settings import find_checkout

_MADE: Final = "# Made from infra/otel/objectives.yaml by `make alerts`; edit that file.\n"


def made(checkout: Path) -> dict[Path, str]:
    """Return the content of each file to write, by path. The contents are made from the
    descriptions in `infra/otel` of the folder `checkout`."""
    otel = checkout / "infra" / "otel"
    objectives = read_objectives(otel / "objectives.yaml")
    of_rules = yaml.safe_dump(rules(objectives), sort_keys=False, allow_unicode=True, width=100)
    files = {
        otel / "prometheus" / "rules.yaml": _MADE + of_rules,
        checkout / "docs" / "alerts.md": handbook(objectives),
    }
    for board in boards(objectives, otel / "dashboards.yaml"):
        path = otel / "grafana" / f"{board.name}.json"
        files[path] = json.dumps(grafana(board), indent=2, ensure_ascii=False) + "\n"
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description="Make alert rules, dashboards and their handbook.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if outdated")
    check = parser.parse_args().check
    outdated = {
        path: text
        for path, text in made(find_checkout()).items()
        if not path.exists() or path.read_text() != text
    }
    for path, text in outdated.items():
        print(f"{'outdated' if check else 'written'}: {path.relative_to(find_checkout())}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
