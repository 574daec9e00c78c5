"""The command lines of an export, to be shown where a network is missing. Imports nothing heavy."""

from __future__ import annotations

import shlex

from paddlex_triton.zoo import load_zoo


def export_command_for(*names: str) -> str:
    """Return the command line that exports networks.

    Args:
        names: of networks, in the zoo or not; at least one.

    Returns:
        One command for those of the zoo and one for each of the others, which takes the folder of the user's own
        weights, `DIR`; joined by `&&`.
    """
    zoo = load_zoo().networks
    known = [name for name in names if name in zoo]
    commands = [f"paddlex-triton export {' '.join(known)}"] if known else []
    commands += [
        f"paddlex-triton export --from-dir DIR --name {shlex.quote(name)}" for name in names if name not in known
    ]
    return " && ".join(commands)


def export_command_for_file(path: str) -> str:
    """Return the command line that exports what one of PaddleX's pipeline files names."""
    return f"paddlex-triton export --config {shlex.quote(path)}"
