"""What texts of Slurm, pyxis and enroot mean, each with a fix: data for `diagnosis`. To add one, add it to its table.

Texts are those of enroot 4.1.2, pyxis 0.24.0 and Slurm 22.05 and 24.11 where `tests/fixtures/recorded` has them; the
others are quoted from the upstream issue beside them and were not seen here.
"""

from __future__ import annotations

from validate.causes.asking import ASKING
from validate.causes.container import CONTAINER
from validate.causes.drained import DRAINED
from validate.causes.launch import LAUNCH
from validate.causes.refused import REFUSED
from validate.causes.rule import PLUGIN_OPTION, Rule

__all__ = ["ASKING", "CONTAINER", "DRAINED", "LAUNCH", "PLUGIN_OPTION", "REFUSED", "Rule"]
