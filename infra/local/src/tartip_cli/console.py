"""How every command talks: one console, one way to print JSON, one way to fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from tartip_cli.failures import EXIT_CODES_HELP, Exit, Failure, from_group, from_os_error

console = Console()
errors = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: object) -> None:
    """One object, one line: what another program reads."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


class App(typer.Typer):
    """A Typer application in which a `Failure` is a line and an exit code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except Failure as failure:
            _tell(failure)
            sys.exit(failure.code)
        except BaseExceptionGroup as group:
            error = from_group(group)
            if isinstance(error, OSError):
                error = from_os_error(error)
            if not isinstance(error, Failure):
                raise
            _tell(error)
            sys.exit(error.code)
        except BrokenPipeError:
            sys.exit(Exit.OK)
        except OSError as error:
            failure = from_os_error(error)
            _tell(failure)
            sys.exit(failure.code)


def new_app(help_text: str) -> App:
    return App(
        help=help_text,
        epilog=EXIT_CODES_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def run_async(work: Callable[[], Awaitable[None]]) -> None:
    import asyncio

    async def main() -> None:
        await work()

    asyncio.run(main())


def _tell(failure: Failure) -> None:
    errors.print(f"tartip: {failure.message}", style="red", markup=False, highlight=False, soft_wrap=True)
