"""Asks a service for known vulnerabilities of every pinned package, behind `scripts/audit`.

The pins of other Pythons are asked about too, whichever runs this.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FILES = ("constraints.txt", "constraints-image.txt")


def read_pins(files: Iterable[Path]) -> list[str]:
    """Read `package==version` of all files, each once, sorted and without markers."""
    lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return sorted({f"{pin.name}{pin.specifier}" for pin in pins})


def split_by_version(pins: Sequence[str]) -> list[list[str]]:
    """Share pins out so that no list has a package twice, which pip-audit takes once."""
    lists: list[dict[str, str]] = []
    for pin in pins:
        package = pin.partition("==")[0]
        free = next((each for each in lists if package not in each), None)
        if free is None:
            lists.append(free := {})
        free[package] = pin
    return [list(each.values()) for each in lists]


def audit(pins: Sequence[str], options: Sequence[str]) -> int:
    """Run pip-audit on some pins; it says what is known. Returns its status, 1 too where it could not ask about one."""
    with tempfile.TemporaryDirectory(prefix="paddlex-triton-audit-") as folder:
        file = Path(folder) / "pins.txt"
        file.write_text("\n".join(pins) + "\n", encoding="utf-8")
        # Nothing is installed or resolved. Without --strict, a package that the service does not know would pass.
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
        command += ["--strict", "--progress-spinner", "off", "--cache-dir", folder]
        return subprocess.run([*command, *options], check=False).returncode


def main() -> int:
    """Ask about all pins, whatever is known of the first ones."""
    pins = read_pins(ROOT / "requirements" / name for name in FILES)
    return max(audit(each, sys.argv[1:]) for each in split_by_version(pins))


if __name__ == "__main__":
    sys.exit(main())
