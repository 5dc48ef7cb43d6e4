"""Each supported ansible-core in a Python environment of its own, made once below .cache/matrix."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / ".cache" / "matrix"


@dataclass(frozen=True)
class Core:
    """A release of ansible-core, and the Pythons that can run it, the oldest first."""

    version: str
    pythons: tuple[str, ...]

    @property
    def python(self) -> str:
        """The name of the first of these Pythons that this machine has, '' for none."""
        for version in self.pythons:
            name = "python" + version
            try:
                # A version manager may have the name on PATH and nothing behind it.
                subprocess.run([name, "--version"], capture_output=True, check=True)
            except (OSError, subprocess.CalledProcessError):
                continue
            return name
        return ""

    @property
    def programs(self) -> Path:
        """The directory of its programs; installs them from PyPI where they are not there yet."""
        PLACE.mkdir(parents=True, exist_ok=True)
        place = PLACE / f"{self.version}-{self.python}"
        with (PLACE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / ".complete").exists():
                subprocess.run([self.python, "-m", "venv", "--clear", place], check=True)
                pip = [place / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
                subprocess.run([*pip, "install", f"ansible-core=={self.version}"], check=True)
                (place / ".complete").touch()
        return place / "bin"

    def run(self, program: str, *arguments: str | Path, cwd: Path = REPOSITORY, **variables: str) -> str:
        """Run one of its programs; returns what it printed, and fails with that."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=cwd,
            env={**kept, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"ansible-core {self.version}: {program} {arguments}\n{done.stdout[-6000:]}"
        return done.stdout


# meta/runtime.yml and the README name the first and the last.
CORES = (
    Core("2.15.13", ("3.9", "3.10", "3.11")),
    Core("2.16.19", ("3.10", "3.11", "3.12")),
    Core("2.17.14", ("3.10", "3.11", "3.12")),
    Core("2.18.19", ("3.11", "3.12", "3.13")),
    Core("2.19.14", ("3.11", "3.12", "3.13")),
    Core("2.20.10", ("3.12", "3.13", "3.14")),
    Core("2.21.5", ("3.12", "3.13", "3.14")),
)


def chosen() -> list[Core]:
    """Return all that can run here with MATRIX=all, else the oldest and the newest of them."""
    usable = [core for core in CORES if core.python]
    return usable if os.environ.get("MATRIX") == "all" or len(usable) < 2 else [usable[0], usable[-1]]
