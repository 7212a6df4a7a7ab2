"""The catalogue of refusals says what the contract says: in three languages, and up to date."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ON_CHANGE = "run `make errors`"


@pytest.fixture(scope="module")
def errors() -> ModuleType:
    spec = importlib.util.spec_from_file_location("errors", ROOT / "proto" / "errors.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_and_the_clients_table_are_up_to_date(errors: ModuleType) -> None:
    entries = errors.catalogue()  # raises where a reason lacks a language or what to do
    assert errors.PAGE.read_text("utf-8") == errors.as_page(entries), ON_CHANGE
    assert errors.TABLE.read_text("utf-8") == errors.as_json(entries), ON_CHANGE


def test_every_method_of_partners_is_in_it(errors: ModuleType) -> None:
    named = {method for entry in errors.catalogue() for method in entry.methods}
    for service, file in errors.SERVICES.items():
        for method, reasons in errors.rpc_comments(service, file):
            assert bool(reasons) == (f"{service}.{method}" in named), method


def test_the_status_that_a_comment_names_is_the_one_that_is_answered(errors: ModuleType) -> None:
    answered = {entry.reason: entry.status for entry in errors.catalogue()}
    statuses = "|".join(set(answered.values()))
    for service, file in errors.SERVICES.items():
        for _, comment in errors.rpc_comments(service, file):
            for reason, status in re.findall(rf"([A-Z_0-9]+) \(({statuses})\b", comment):
                assert answered[reason] == status, reason


def test_a_reason_without_a_language_is_refused(
    errors: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advice = (ROOT / "proto" / "errors.toml").read_text("utf-8")
    lacking = re.sub(r'^kk = "Мәтін тым ұзын\."\n', "", advice, flags=re.MULTILINE)
    assert lacking != advice
    (tmp_path / "errors.toml").write_text(lacking, "utf-8")
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "errors.py"))
    with pytest.raises(ValueError, match="TEXT_TOO_LONG lacks"):
        errors.catalogue()
