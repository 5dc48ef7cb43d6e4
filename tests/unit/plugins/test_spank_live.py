"""Whether what Slurm reads works as it stands, on commands that print what real ones print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.spank_live import registration_proven

PROGRAM = "#!/bin/sh\necho '      --container-image=[USER@]...'\n"


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, Any]:
    tmp_path.chmod(0o755)
    for name in ("srun", "sbatch"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)
    registration: dict[str, Any] = {"plugin": "/p.so", "flag": "required", "arguments": []}
    return {
        "programs": {"srun": str(tmp_path / "srun")},
        "version": "24.11.5",
        "config": {"source": "configless", "file": None},
        "plugstack": {"registrations": [registration], "problems": []},
    }


@pytest.fixture(autouse=True)
def myself(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user could not start programs in a directory of pytest's."""
    monkeypatch.setattr("os.geteuid", lambda: 1)


def test_both_commands_have_the_option(slurm: dict[str, Any]) -> None:
    assert registration_proven(slurm)


@pytest.mark.parametrize("name", ["srun", "sbatch"])
def test_one_lacks_it(slurm: dict[str, Any], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("#!/bin/sh\necho --help\n")
    assert not registration_proven(slurm)
    slurm["plugstack"]["registrations"][0]["arguments"] = ["sbatch_support=0"]
    assert registration_proven(slurm) is (name == "sbatch")


def test_what_is_wrong_otherwise_proves_nothing(slurm: dict[str, Any]) -> None:
    plugstack = slurm["plugstack"]
    twice = plugstack["registrations"] * 2
    assert not registration_proven({**slurm, "plugstack": {**plugstack, "problems": [{}]}})
    assert not registration_proven({**slurm, "plugstack": {**plugstack, "registrations": []}})
    assert not registration_proven({**slurm, "plugstack": {**plugstack, "registrations": twice}})
    assert not registration_proven({**slurm, "programs": {"srun": None}})
