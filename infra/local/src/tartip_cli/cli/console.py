"""Shared functions of all commands: printing, JSON output, errors and exit codes."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from tartip_cli.failures import EXIT_CODES_HELP, Exit, Failure, from_group, from_os_error

console = Console()
errors = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: object) -> None:
    """Print one object as one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def hint(text: str) -> str:
    """Return the text, adapted to the place where `tartip` is installed. If the command `tartip` is
    not on the PATH, "`tartip …`" becomes "`.venv/bin/tartip …`". `make setup` installs the command
    only into .venv."""
    return text if shutil.which("tartip") else text.replace("`tartip ", "`.venv/bin/tartip ")


class App(typer.Typer):
    """A Typer application that prints a `Failure` as one line and exits with its exit code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except BrokenPipeError:
            sys.exit(Exit.OK)
        except (Failure, OSError, BaseExceptionGroup) as error:
            failure = _failure_of(error)
            if failure is None:
                raise
            errors.print(
                f"tartip: {hint(failure.message)}", style="red", markup=False, soft_wrap=True
            )
            sys.exit(failure.code)


def new_app(help_text: str) -> App:
    return App(
        help=help_text,
        epilog=EXIT_CODES_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def _failure_of(error: BaseException) -> Failure | None:
    """The failure to report; None for an unexpected error, whose traceback is printed."""
    if isinstance(error, BaseExceptionGroup):
        return _failure_of(from_group(error))
    if isinstance(error, OSError):
        return from_os_error(error)
    return error if isinstance(error, Failure) else None
