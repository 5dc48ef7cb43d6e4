"""The acceptance suite: which node is bad, why, and what to type."""

import sys
from pathlib import Path

# The collection, as Ansible finds it beside the playbooks: Slurm's texts are parsed in one place for everybody.
_COLLECTIONS = str(Path(__file__).resolve().parents[1] / "playbooks" / "collections")
if _COLLECTIONS not in sys.path:
    sys.path.append(_COLLECTIONS)
