"""A site for hooks on nodes of the sandbox, and bundles of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from cluster import mirror, stack, state
from cluster.settings import Settings
from cluster.steps import Steps

from tests.sandbox.harness import ROOT, Sandbox

# What of the sandbox's inventory is about the machine that runs playbooks, and not about nodes.
NOT_CARRIED = ("artifacts.yml", "validate.yml")
NOT_VARIABLES = ("artifact_mirror", "artifacts_platforms", "sandbox_images", "validate_runtimes")


@dataclass(frozen=True)
class Bundle:
    """A bundle as `make bundle` leaves it."""

    directory: Path

    @property
    def archive(self) -> Path:
        return next(self.directory.glob("slipway-*.tar"))

    @property
    def script(self) -> Path:
        return next(self.directory.glob("slipway-*.sh"))

    @property
    def digest(self) -> str:
        return self.archive.with_name(self.archive.name + ".sha256").read_text().split()[0]


def lock(settings: Settings) -> None:
    """Have the artifacts of a sandbox that is not converged in its mirror, and their checksums in its lock."""
    steps = Steps(settings.state / "log")
    with steps.step("artifacts"):
        cluster = state.require(settings.state)
        _sources, extra = mirror.prepare(steps.runner, settings, cluster.distribution, {})
        state.save(settings.state, replace(cluster, vars={**cluster.vars, **extra}))
        log = stack.log_of(steps.runner)
        stack.refuse(stack.play(settings, log, "playbooks/lock.yml", "-e", "artifacts_lock_force=true"))


def make_site(sandbox: Sandbox, directory: Path, hooks: dict[str, Any], **variables: Any) -> Path:
    """Write a site's directory; ``hooks`` is its lifecycle.yml."""
    shutil.rmtree(directory, ignore_errors=True)
    values = directory / "group_vars" / "all"
    values.mkdir(parents=True)
    for path in sorted((ROOT / "inventories/sandbox/group_vars/all").glob("*.yml")):
        if path.name not in NOT_CARRIED:
            shutil.copy(path, values / path.name)
    carried = {key: value for key, value in sandbox.cluster.vars.items() if key not in NOT_VARIABLES}
    (values / "zz_sandbox.yml").write_text(json.dumps({**carried, **variables}), encoding="utf-8")
    shutil.copy(sandbox.settings.state / "artifacts.lock.yml", directory)
    (directory / "lifecycle.yml").write_text(yaml.safe_dump(hooks), encoding="utf-8")
    return directory


def make_bundle(
    sandbox: Sandbox, site: Path, url: str, python: str, plugins: Path | None = None, packages: Path | None = None
) -> Bundle:
    """Make a bundle as `make bundle` does, for one Python and this machine's architecture only."""
    output = sandbox.settings.state / "bundles"
    command = [sys.executable, "-m", "lifecycle.bundle", f"--site={site}", f"--output={output}", f"--url={url}"]
    command += [f"--artifacts={sandbox.mirror}", "--python", python, "--architecture", "x86_64"]
    command += [f"--plugins={plugins}"] if plugins else []
    command += [f"--packages={packages}"] if packages else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Bundle(Path(done.stdout.splitlines()[-1].split(maxsplit=1)[1]).parent)
