"""Which release runs here."""

from importlib.metadata import version

from tartip_cli.main import app
from typer.testing import CliRunner


def test_the_command_says_the_version_of_its_package() -> None:
    ran = CliRunner().invoke(app, ["--version"])
    assert (ran.exit_code, ran.output.split()) == (0, ["tartip", version("tartip-local")])
