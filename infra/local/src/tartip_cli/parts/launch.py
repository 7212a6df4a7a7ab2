"""Starts one part of the mesh: becomes another user if requested, has the kernel end the part when
the supervisor dies, then replaces itself with the command of the part.

Run as `python -I -S launch.py <options as JSON> <command…>`. It is a separate program because code
between fork and exec (`preexec_fn`) may hang in a process with threads.
"""

import ctypes
import json
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    options = json.loads(sys.argv[1])
    command = sys.argv[2:]
    if options["uid"] is not None:
        os.setgroups([])
        os.setgid(options["gid"])
        os.setuid(options["uid"])
    # After setuid, which would clear it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, options["signal"], 0, 0, 0)
    if os.getppid() != options["parent"]:
        sys.exit(0)  # the supervisor died before it could be watched
    os.umask(0o077)
    os.execvp(command[0], command)


main()
