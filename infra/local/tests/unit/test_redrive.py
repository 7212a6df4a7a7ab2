"""`tartip redrive --dismiss`: what it refuses before it asks the database."""

import pytest
from tartip_cli.failures import Exit, Failure
from tartip_cli.main import whole_app
from typer.testing import CliRunner


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dismiss", "x"),
        ("--dismiss", "x", "--reason", "  "),
        ("--dismiss", "x", "--reason", "a\nb"),
        ("--dismiss", "x", "--reason", "a" * 501),
        ("x", "--dismiss", "x", "--reason", "why"),
        ("x", "--reason", "why"),
    ],
)
def test_a_dismissal_needs_one_event_and_a_reason_in_a_line(arguments: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(whole_app(), ["redrive", *arguments])
    assert isinstance(ran.exception, Failure) and ran.exception.code is Exit.USAGE, ran.output
