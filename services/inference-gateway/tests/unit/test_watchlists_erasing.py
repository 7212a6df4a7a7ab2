"""What is freed is overwritten where the allocator was told to, and it is known when it was not."""

import os
import subprocess
import sys

from tartip_cli.parts.services import ERASING

ASKED = "from inference_gateway.watchlists.memory_wipe import erases_what_is_freed as e; print(e())"


def erases(**environment: str) -> str:
    told = {**os.environ, **{name: "" for name in ERASING}, **environment}
    run = subprocess.run(
        (sys.executable, "-c", ASKED), env=told, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_the_process_knows_whether_what_it_frees_is_overwritten() -> None:
    assert erases() == "False"
    assert erases(**ERASING) == "True"
