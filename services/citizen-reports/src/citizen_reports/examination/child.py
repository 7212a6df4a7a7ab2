"""The program of the child process that examines or blurs one file; `process` starts this module.

It reads the file from standard input. It writes `READY` to standard output, then the verdict, the
first frame of a film and the clean form. A process that ends without `READY` failed to start; one
that ends later may have failed because of the file. All forms of the file stay in memory.

Each file gets a new process, so this module imports only what the file needs.
"""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from typing import IO, Final

from citizen_reports.examination.limits import confine
from citizen_reports.examination.verdict import BeyondLimits, Verdict
from citizen_reports.model.findings import Finding, Reason
from citizen_reports.model.media_kinds import FAMILY_OF, LARGEST, START_BYTES, Family, kind_of

READY: Final = b"ready\n"
# The argument to blur a photograph. A line with the boxes then precedes the file (see `blurring`).
BLUR: Final = "blur"
Make = Callable[[IO[bytes], IO[bytes]], Finding]


def main() -> None:
    is_confined = confine()
    out = sys.stdout.buffer
    out.write(READY)
    out.flush()
    make: Make = _cleaned
    if BLUR in sys.argv[1:]:
        make = partial(_blurred, sys.stdin.buffer.readline())
    with _in_memory("original") as file, _in_memory("clean") as clean:
        shutil.copyfileobj(sys.stdin.buffer, file)
        verdict = examine(file, clean, make, is_confined=is_confined)
        out.write(verdict.line())
        if verdict.finding is not None:
            out.write(verdict.finding.first_frame)
            clean.seek(0)
            shutil.copyfileobj(clean, out)
        out.flush()


def examine(file: IO[bytes], clean: IO[bytes], make: Make, *, is_confined: bool) -> Verdict:
    """Let `make` write the clean or blurred form of a file to `clean`; return the verdict. An
    exception of `make` becomes a verdict without a finding."""
    try:
        finding = make(file, clean)
    except _Refused as refused:
        return Verdict(None, refused.code, is_confined=is_confined)
    except Exception as problem:  # decoders fail in many ways on hostile files
        code = Reason.BEYOND_LIMITS if _is_beyond_limits(problem) else Reason.NOT_A_PICTURE
        return Verdict(None, code, is_confined=is_confined)
    clean_bytes = clean.seek(0, os.SEEK_END)
    if clean_bytes > LARGEST:
        return Verdict(None, Reason.TOO_LARGE, is_confined=is_confined)
    return Verdict(finding, "", clean_bytes, is_confined, len(finding.first_frame))


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _cleaned(file: IO[bytes], clean: IO[bytes]) -> Finding:
    """Write the clean form of a file to `clean`; return what was found. Raises _Refused for a kind
    of file that is not accepted, and the decoders' errors."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    kind = kind_of(file.read(START_BYTES))
    file.seek(0)
    if kind.not_taken:
        raise _Refused(Reason.KIND_NOT_TAKEN)
    if not kind.content_type:
        raise _Refused(Reason.NOT_A_PICTURE)
    if FAMILY_OF[kind.content_type] is Family.PHOTOGRAPH:
        from citizen_reports.examination.pictures import clean_picture

        return clean_picture(file, size, kind.content_type, clean)
    from citizen_reports.examination.recordings import clean_recording

    return clean_recording(file, size, kind.content_type, clean)


def _blurred(boxes: bytes, file: IO[bytes], blurred: IO[bytes]) -> Finding:
    from citizen_reports.examination.blurring import blurred_picture

    file.seek(0)
    return blurred_picture(file, boxes, blurred)


def _is_beyond_limits(problem: Exception) -> bool:
    if isinstance(problem, MemoryError | BeyondLimits):
        return True
    return isinstance(problem, OSError) and problem.errno in (errno.ENOMEM, errno.EFBIG)


def _in_memory(name: str) -> IO[bytes]:
    return os.fdopen(os.memfd_create(name), "w+b")


if __name__ == "__main__":
    main()
