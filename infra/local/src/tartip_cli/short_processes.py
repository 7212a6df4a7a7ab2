"""Processes that the command line starts and whose end it waits for, such as a migration."""

from __future__ import annotations

import asyncio

from tartip_cli.failures import Exit, Failure


async def finished(
    process: asyncio.subprocess.Process, name: str, *, seconds: float, script: bytes | None = None
) -> bytes:
    """Wait until a process ends; return its output, b"" if that is not piped. `script` is written
    to its input. Raises Failure, which calls the process `name`, if it has not ended after
    `seconds`; the process is then killed, as it is if the caller is cancelled."""
    try:
        output, _ = await asyncio.wait_for(process.communicate(script), seconds)
    except BaseException as error:
        if process.returncode is None:
            process.kill()
        if not isinstance(error, TimeoutError):
            raise
        raise Failure(
            f"{name} did not end within {seconds:.0f} s: this machine is overloaded, or something "
            "holds the database; start again",
            Exit.PART_FAILED,
        ) from error
    return output or b""
