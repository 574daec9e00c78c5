# Sourced by the other scripts: makes .venv once, with pinned versions, and again when the pins change.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

die() {
  echo "error: $*" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.11 python3.12 python3.10 python3; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "Python 3.10, 3.11 or 3.12 is needed (3.11 is what the project is tested on); name one with PYTHON=/path/to/python"
}

ensure_environment() {
  local python stamp wanted
  stamp=.venv/.installed
  wanted=$(cat pyproject.toml requirements/constraints.txt | sha256sum)
  if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  python=$(find_python)
  echo "Installing into $root/.venv (once) ..." >&2
  [ -x .venv/bin/python ] || "$python" -m venv .venv ||
    die "$python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements/constraints.txt \
    --editable '.[dev]'
  # The Python inside Triton reads no PYTHON... variables, but does read this file: no bytecode beside the sources there.
  echo "import os, sys; sys.dont_write_bytecode |= 'PYTHONDONTWRITEBYTECODE' in os.environ" \
    >"$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/no_bytecode.pth"
  echo "$wanted" >"$stamp"
}

ensure_environment
