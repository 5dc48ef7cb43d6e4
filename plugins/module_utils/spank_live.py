"""See whether the plugin that a host's Slurm reads loads there, by the commands that users run. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import plugstack, spank_proof

OPTION = "container-image"
SECONDS = 10


def registration_proven(slurm: Mapping[str, Any]) -> bool:
    """Return whether the one registration that ``ansible_facts.slurm`` shows works as it stands.

    False says only that it is not proven: M(slipway.containers.spank_plugin) finds out why.
    """
    found, srun = slurm["plugstack"]["registrations"], slurm["programs"]["srun"]
    if len(found) != 1 or slurm["plugstack"]["problems"] or not srun:
        return False
    programs = {"srun": srun, "sbatch": os.path.join(os.path.dirname(srun), "sbatch")}
    programs = {name: path for name, path in programs.items() if os.access(path, os.X_OK)}
    without_sbatch = any("sbatch_support=" + word in found[0]["arguments"] for word in plugstack.FALSE_WORDS)
    subject = spank_proof.Subject(found[0]["plugin"], OPTION, slurm["version"], SECONDS, not without_sbatch)
    # Without a name the commands find a fetched configuration as any user's do.
    config = slurm["config"]["file"] if slurm["config"]["source"] == "local" else None
    return bool(programs) and spank_proof.prove_by_help(programs, config, True, subject).proven
