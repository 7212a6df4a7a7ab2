"""What runs in the process that examines or blurs one file; `process` starts it as a module.

The file comes on standard input; the verdict, the first frame of a film and the clean form go to
standard output. Nothing is written to a disk: all lie in memory of this process. `READY` is written
first, so that the service can tell a process that did not start from a file that ended one.

It starts anew for each file, so it imports nothing that the file does not need.
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
# The argument with which a photograph is blurred; what of it is a line before the file.
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
    """Return the verdict on a file, after `make` wrote a form of the file to `clean`. Never
    raises."""
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
    """Write the clean form of a file. The decoders are imported here, only for files that need
    them."""
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
