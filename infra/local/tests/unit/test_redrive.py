"""`tartip redrive --dismiss`: what it refuses before it asks the database."""

import pytest
from tartip_cli.failures import Exit
from tartip_cli.main import app
from typer.testing import CliRunner
