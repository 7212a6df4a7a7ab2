"""Templates of answers as a YAML file, which people edit, and as the messages of the contract.

    templates:
      - name: passed-on
        version: 3
        categories: [incident, other]
        outcome: passed_on
        kk: …
        ru: …
        en: …

`version` is that of the template as it was shown; a new one has none. Without categories a template
answers all kinds of reports; with `withdrawn: true` it can be used no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from chassis.clock import new_id
from chassis.grpc_status import from_error
from tartip.reports.v1 import answers_pb2 as pb

from tartip_cli.clients.yaml_file import (
    category_name,
    read_category,
    read_yaml,
    texts_of,
    to_text,
)
from tartip_cli.failures import Exit, Failure

EXAMPLE = Path(__file__).with_name("answer-templates.yaml")
TIMEOUT_SECONDS = 10
_LANGUAGES = ("kk", "ru", "en")
_KEYS = {"name", "version", "categories", "outcome", *_LANGUAGES, "withdrawn"}
_PAGE = 200


@dataclass
class Sent:
    """What became of the templates of a file, by name; `refused` has the reason and fields of
    each."""

    stored: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def read_file(path: Path) -> list[pb.PutTemplateRequest]:
    """Return the templates of a file, without request ids. Raises Failure, which names the file and
    the template, for what cannot be said in the contract. The service checks all else."""
    given = read_yaml(path)
    if not isinstance(given, dict) or set(given) != {"templates"}:
        raise Failure(f"{path}: the key is templates", Exit.USAGE)
    try:
        found = [_read_template(one) for one in given["templates"] or []]
    except (TypeError, ValueError) as error:
        raise Failure(f"{path}: {error}", Exit.USAGE) from None
    names = [one.template for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Failure(f"{path}: {', '.join(twice)} stands there twice", Exit.USAGE)
    return found


def to_yaml(templates: Iterable[pb.AnswerTemplate]) -> str:
    """Return templates as the text of such a file."""
    return to_text({"templates": [_to_plain(one) for one in templates]})


async def every_template(stub: Any) -> list[pb.AnswerTemplate]:
    """Return the templates that can be used now, by name."""
    found, request = list[pb.AnswerTemplate](), pb.ListTemplatesRequest()
    request.page.size = _PAGE
    while True:
        answer = await stub.ListTemplates(request, timeout=TIMEOUT_SECONDS)
        found += answer.templates
        if not answer.next_page_token:
            return found
        request.page.token = answer.next_page_token


async def send(
    stub: Any,
    templates: list[pb.PutTemplateRequest],
    reason: str,
    on_progress: Callable[[int], None],
) -> Sent:
    """Store each template that differs from what is stored. One that is refused stops none of the
    others, and a file that was sent in part can be sent again. `on_progress` is called with the
    number of templates that are done."""
    known = {one.template: one for one in await every_template(stub)}
    sent = Sent()
    for done, request in enumerate(templates, start=1):
        name = request.template
        if name in known and _content(known[name]) == _content(request):
            sent.unchanged.append(name)
        else:
            request.request_id, request.reason = str(new_id()), reason
            try:
                await stub.PutTemplate(request, timeout=TIMEOUT_SECONDS)
                sent.stored.append(name)
            except grpc.aio.AioRpcError as error:
                sent.refused[name] = _refusal_of(error)
        on_progress(done)
    return sent


def _refusal_of(error: grpc.aio.AioRpcError) -> str:
    """Why one template was refused. Raises the error where no other would fare better."""
    refusal = from_error(error)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED):
        raise error
    fields = "; ".join(f"{one.field}: {one.description}" for one in refusal.fields)
    return f"{refusal.code}: {fields or refusal.message}"


def _content(template: pb.AnswerTemplate | pb.PutTemplateRequest) -> tuple[object, ...]:
    """What a template says, apart from its version."""
    texts = (template.texts.kk, template.texts.ru, template.texts.en)
    return frozenset(template.categories), template.outcome, texts, template.withdrawn


def _read_template(given: Any) -> pb.PutTemplateRequest:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ValueError("each template has a name")
    name = given["name"]
    unknown = sorted(map(str, set(given) - _KEYS))
    if unknown:
        raise ValueError(f"template {name}: {unknown[0]} is none of {', '.join(sorted(_KEYS))}")
    try:
        return pb.PutTemplateRequest(
            template=name,
            version=int(given.get("version", 0)),
            categories=[read_category(one) for one in texts_of(given, "categories")],
            outcome=str(given.get("outcome", "")),
            texts=pb.Texts(**{one: str(given.get(one, "")).strip() for one in _LANGUAGES}),
            withdrawn=bool(given.get("withdrawn", False)),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"template {name}: {error}") from None


def _to_plain(template: pb.AnswerTemplate) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": template.template,
        "version": template.version,
        "categories": [category_name(one) for one in template.categories],
        "outcome": template.outcome,
        **{one: getattr(template.texts, one) for one in _LANGUAGES},
        "withdrawn": template.withdrawn,
    }
    return {key: value for key, value in plain.items() if value}
