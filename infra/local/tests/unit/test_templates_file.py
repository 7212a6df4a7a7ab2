"""A file of answer templates is what the contract says; what cannot be said in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tartip.reports.v1 import answers_pb2 as pb
from tartip.reports.v1 import reports_pb2
from tartip_cli.clients.templates_file import read_file, to_yaml
from tartip_cli.failures import Exit, Failure

WHOLE = pb.PutTemplateRequest(
    template="whole",
    version=3,
    categories=[reports_pb2.CATEGORY_INCIDENT],
    outcome="explained",
    texts=pb.Texts(kk="Бір", ru="Два\nслова", en="Two words"),
)


def test_templates_are_read_back_from_the_file_that_shows_them(tmp_path: Path) -> None:
    shown = pb.AnswerTemplate(
        template=WHOLE.template,
        version=WHOLE.version,
        categories=WHOLE.categories,
        outcome=WHOLE.outcome,
        texts=WHOLE.texts,
    )
    path = tmp_path / "templates.yaml"
    path.write_text(to_yaml([shown]))
    assert read_file(path) == [WHOLE]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("rules: []", "the key is templates"),
        ("templates: [{outcome: a}]", "each template has a name"),
        ("templates: [{name: a, text: b}]", "template a: text is none of"),
        ("templates: [{name: a, version: b}]", "template a: invalid literal"),
        ("templates: [{name: a, categories: [b]}]", "template a: b is none of"),
        ("templates: [{name: a}, {name: a}]", "a stands there twice"),
    ],
)
def test_what_cannot_be_said_in_the_contract_is_named(
    tmp_path: Path, content: str, text: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(Failure, match=text) as caught:
        read_file(path)
    assert caught.value.code is Exit.USAGE
