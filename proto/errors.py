"""Makes the catalogue of refusals that a partner can meet: docs/errors.md, and errors.json of the
client.

Which methods refuse with a code stands in the comments of their RPCs, its status and message in the
code and texts of the services, and what to do about it in errors.toml. Run it by `make errors`.
tests/contract/test_errors.py fails if it would write something else than what is there.
"""

import importlib
import json
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from chassis.refusals import Refusal

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "errors.md"
TABLE = ROOT / "partner-kit" / "client" / "src" / "tartip_partner" / "errors.json"
# The services that partners call.
SERVICES = {
    "CitizenReports": "tartip/reports/v1/reports.proto",
    "FinePayments": "tartip/fines/v1/fines.proto",
}
# Packages whose refusals these services answer with.
PACKAGES = ("chassis", "partners", "citizen_reports.model", "fines.model")
EVERY_METHOD = "*"
# Listed for every RPC, but for operators alone.
OF_OPERATORS = {"TOKEN_EXPIRED", "PURPOSE_REQUIRED"}
LANGUAGES = ("kk", "ru", "en")
AGAIN = {
    "never": "no",
    "after_change": "after a change",
    "after_retry_info": "the same, after `RetryInfo.retry_delay`",
    "with_backoff": "the same, after 1, 2, 4 … seconds",
}
_CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bOVERLOADED\b")
_STATUSES = {status.name: status for status in grpc.StatusCode}
_INTRODUCTION = """# Refusals

Made by `make errors` from `proto/`, the texts of the services and `proto/errors.toml`: change
those. The same catalogue is in the client, `tartip_partner.known_reasons()`, and for other
languages in [`errors.json`](../partner-kit/client/src/tartip_partner/errors.json).

The reason stands in `ErrorInfo.reason`, further values in its metadata, the message in
`LocalizedMessage`. Wrong fields stand in `BadRequest`, each with a reason of its own: if they
differ, `ErrorInfo.reason` is `BAD_REQUEST`. How to repeat safely is told in
[the guide](partners.md#five-rules).
"""


@dataclass(frozen=True)
class Entry:
    """A refusal: `methods` are names such as "FinePayments.PayFine", or EVERY_METHOD alone."""

    reason: str
    status: str
    methods: list[str]
    again: str
    do: str
    texts: dict[str, str]
    fields: list[str]
    facts: list[str]


def catalogue() -> list[Entry]:
    """Return all refusals that a partner can meet, by reason. Raises ValueError if something is
    missing of one, or errors.toml has one that nothing answers."""
    advice: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    answered = _answered()
    if extra := advice.keys() - answered.keys():
        raise ValueError(f"errors.toml: nothing answers {sorted(extra)}")
    refusals = _refusals()
    return [
        _entry(reason, methods, advice.get(reason, {}), refusals.get(reason))
        for reason, methods in sorted(answered.items())
    ]


def _entry(
    reason: str, methods: list[str], advice: dict[str, Any], refusal: type[Refusal] | None
) -> Entry:
    status = grpc.StatusCode.INVALID_ARGUMENT  # of wrong fields, which have no class
    texts = {language: advice.get(language, "") for language in LANGUAGES}
    if refusal is not None:
        status = refusal.kind.grpc_status
        message = refusal.__new__(refusal).message
        texts = {language: getattr(message, language) for language in LANGUAGES}
    lacking = [language for language, text in texts.items() if not text]
    if lacking or not advice.get("do"):
        raise ValueError(f"errors.toml: {reason} lacks {lacking or 'do'}")
    again = advice.get("again", "after_change" if "fields" in advice else "never")
    if again not in AGAIN:
        raise ValueError(f"errors.toml: {reason}: again = {again}")
    fields, facts = advice.get("fields", []), advice.get("facts", [])
    return Entry(reason, status.name, methods, again, advice["do"], texts, fields, facts)


def _answered() -> dict[str, list[str]]:
    """The methods that answer each reason, by the comments of the contract."""
    common = (ROOT / "proto/tartip/common/v1/common.proto").read_text("utf-8")
    listed = common.partition("Reasons that any RPC may answer:")[2].partition("syntax")[0]
    everywhere = {*re.findall(r"^//   ([A-Z_0-9]+) ", listed, re.MULTILINE), "INTERNAL"}
    found = {reason: [EVERY_METHOD] for reason in everywhere - OF_OPERATORS}
    for service, file in SERVICES.items():
        comments = dict(rpc_comments(service, file))
        for method in comments:
            for reason in sorted(_reasons_of(method, comments) - everywhere):
                found.setdefault(reason, []).append(f"{service}.{method}")
    return found


def rpc_comments(service: str, file: str) -> Iterator[tuple[str, str]]:
    """The methods of a service with what their comments say from "Reasons:" on."""
    text = (ROOT / "proto" / file).read_text("utf-8")
    body = text.partition(f"service {service} {{")[2].partition("\n}")[0]
    for comment, method in re.findall(r"((?:^ *//.*\n)+) *rpc (\w+)", body, re.MULTILINE):
        yield method, re.sub(r"\n *// ?", " ", comment).partition("Reasons:")[2]


def _reasons_of(method: str, comments: dict[str, str]) -> set[str]:
    """The reasons that a comment names, with those of the methods to which it refers."""
    comment = comments[method]
    named = set(_CODE.findall(comment)) - _STATUSES.keys()
    others = re.findall(r"those of (\w+)", comment)
    return named.union(*(_reasons_of(other, comments) for other in others))


def _refusals() -> dict[str, type[Refusal]]:
    for package in PACKAGES:
        path = importlib.import_module(package)
        for module in pkgutil.walk_packages(getattr(path, "__path__", ()), f"{package}."):
            importlib.import_module(module.name)
    found = _subclasses(Refusal)  # other packages may be imported too
    return {one.code: one for one in found if one.__module__.startswith(PACKAGES)}


def _subclasses(parent: type[Refusal]) -> Iterator[type[Refusal]]:
    for child in parent.__subclasses__():
        yield child
        yield from _subclasses(child)


def as_json(entries: list[Entry]) -> str:
    return json.dumps([asdict(one) for one in entries], ensure_ascii=False, indent=1) + "\n"


def as_page(entries: list[Entry]) -> str:
    parts = [_INTRODUCTION]
    titles = {EVERY_METHOD: "Any method", "CitizenReports": "Reports", "FinePayments": "Fines"}
    for group, title in titles.items():
        parts.append(f"\n## {title}\n")
        parts += [_section(one) for one in entries if one.methods[0].partition(".")[0] == group]
    return "".join(parts)


def _section(entry: Entry) -> str:
    methods = ", ".join(f"`{one.rpartition('.')[2]}`" for one in entry.methods)
    lines = [f"| status | `{entry.status}` |", "|---|---|"]
    if entry.methods != [EVERY_METHOD]:
        lines.append(f"| of | {methods} |")
    if entry.fields:
        lines.append(f"| fields | {', '.join(f'`{field}`' for field in entry.fields)} |")
    if entry.facts:
        lines.append(f"| metadata | {', '.join(f'`{fact}`' for fact in entry.facts)} |")
    lines += [f"| again | {AGAIN[entry.again]} |", f"| do | {entry.do} |"]
    lines += [f"| {language} | {text} |" for language, text in entry.texts.items()]
    return "\n".join([f"\n### `{entry.reason}`\n", *lines, ""])


def main() -> None:
    entries = catalogue()
    TABLE.write_text(as_json(entries), "utf-8")
    PAGE.write_text(as_page(entries), "utf-8")


if __name__ == "__main__":
    main()
