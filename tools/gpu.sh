#!/usr/bin/env bash
# Check and measure everything on this machine's GPU: bash tools/gpu.sh FOLDER [--parts a,b]
# Needs a Python with torch and numpy, and nothing installed; writes to FOLDER. See docs/gpu.md.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
for python in ${PYTHON:+"$PYTHON"} python3 python; do
    if command -v "$python" >/dev/null && "$python" -c 'import numpy, torch' 2>/dev/null; then
        export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1
        exec "$python" -m bench.gpu "$@"
    fi
done
echo "expected a Python with torch and numpy (set PYTHON to one), got none on the PATH" >&2
exit 2
