"""`python -m tollstream`: the same as the console script."""

from __future__ import annotations

import sys

from tollstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
