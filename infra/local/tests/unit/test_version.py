"""`tartip --version` is the version of every member."""

from __future__ import annotations

import tomllib
from importlib.metadata import version

from tartip_cli.main import whole_app
from tartip_cli.settings import find_checkout
from typer.testing import CliRunner


def test_the_command_prints_the_version_of_its_package() -> None:
    told = CliRunner().invoke(whole_app(), ["--version"])
    assert told.exit_code == 0
    assert told.stdout == f"tartip {version('tartip-local')}\n"


def test_all_members_have_one_version() -> None:
    root = find_checkout()
    pages = [root / "pyproject.toml", *root.glob("*/*/pyproject.toml")]
    versions = {
        str(page.relative_to(root)): tomllib.loads(page.read_text())["project"]["version"]
        for page in pages
        if page.parent != root / "libs" / "contracts"
    }
    assert len(versions) > 12 and set(versions.values()) == {version("tartip-local")}, versions
