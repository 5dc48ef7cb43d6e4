"""The stand-ins are programs of their own, not part of a package: their directories go on the path."""

import sys
from pathlib import Path

_STANDINS = Path(__file__).resolve().parents[2] / "standins"
sys.path[:0] = [str(_STANDINS), str(_STANDINS / "enroot"), str(_STANDINS / "nvidia")]
