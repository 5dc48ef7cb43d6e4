"""``python -m lifecycle HOOK``: run a hook on this node."""

from __future__ import annotations

import os
import sys

from .run import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ))
