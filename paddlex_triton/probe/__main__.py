"""`python -m paddlex_triton.probe`: as the command `paddlex-triton probe`, and faster to start."""

from __future__ import annotations

import sys

from paddlex_triton.probe.command import main

if __name__ == "__main__":
    sys.exit(main())
