"""What the person asked for (environment variables), judged before anything is touched."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import SandboxError

DEFAULT_NAME = "slipway"
# Each with the Debian that it is made of; `rocky` is Debian under the name of Rocky Linux 9, with dnf.
SUITES = {"trixie": "trixie", "bookworm": "bookworm", "rocky": "bookworm"}
DEFAULT_DISTRIBUTION = "trixie"
NAMES = {"rocky": "Debian 12 under the name of Rocky Linux 9"}
# Of two nodes that differ nobody can say which is right; of three the acceptance suite can.
DEFAULT_COMPUTE = 3
MAXIMUM_COMPUTE = 32
REPOSITORY = Path(__file__).resolve().parents[3]
RUNTIME = Path("/run/slipway-sandbox")


@dataclass(frozen=True)
class Settings:
    """None means "not asked for": what already runs decides, then the default."""

    name: str
    compute: int | None
    distribution: str | None
    repository: Path
    cache: Path

    @property
    def state(self) -> Path:
        suffix = "" if self.name == DEFAULT_NAME else f"-{self.name}"
        return self.repository / f".sandbox{suffix}"

    @property
    def identity(self) -> str:
        """The label's value: two checkouts may both call their sandbox `slipway`.

        It follows from the directory alone, so `down` finds the nodes of a sandbox whose state
        directory was deleted by hand.
        """
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()
        return f"{self.name}-{digest[:8]}"

    @property
    def runtime(self) -> Path:
        return RUNTIME / self.identity


def parse_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", value):
        raise SandboxError(
            f"SANDBOX_NAME={value} is not a usable name: "
            "use 1 to 20 lower-case letters, digits and dashes, a letter first"
        )
    return value


def parse_compute(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value) or not 1 <= int(value) <= MAXIMUM_COMPUTE:
        raise SandboxError(
            f"SANDBOX_COMPUTE={value} is not a number of compute nodes: use a whole number from 1 to {MAXIMUM_COMPUTE}"
        )
    return int(value)


def parse_distribution(value: str) -> str:
    if value not in SUITES:
        raise SandboxError(f"SANDBOX_DISTRIBUTION={value} is not supported: use {' or '.join(SUITES)}")
    return value


def cache_directory(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME", "/root")) / ".cache")
    return Path(base) / "slipway" / "sandbox"


def from_environment(environment: Mapping[str, str] = os.environ, repository: Path = REPOSITORY) -> Settings:
    """An empty variable counts as unset, which is how make hands on a variable nobody gave."""
    compute = environment.get("SANDBOX_COMPUTE", "")
    distribution = environment.get("SANDBOX_DISTRIBUTION", "")
    return Settings(
        name=parse_name(environment.get("SANDBOX_NAME") or DEFAULT_NAME),
        compute=parse_compute(compute) if compute else None,
        distribution=parse_distribution(distribution) if distribution else None,
        repository=repository,
        cache=cache_directory(environment),
    )
