#!/usr/bin/env bash
# Makes .venv with Python 3.11 or 3.12 and puts uv, pinned and hash-checked, into it.
set -euo pipefail
wanted=${1:-python3}
for python in "$wanted" python3.12 python3.11; do
  command -v "$python" >/dev/null 2>&1 || continue
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || continue
  if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "set-up: $python has no venv module. On Debian: apt-get install python3-venv" >&2
    exit 2
  fi
  echo "set-up: .venv with $("$python" --version)"
  "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement infra/bootstrap/requirements.lock
  exit 0
done
echo "set-up: Python 3.11 or 3.12 is needed and was not found; name one with" >&2
echo "        make PYTHON=/path/to/python3.11" >&2
exit 2
