"""The script that clears away the containers of jobs: by hand while a job is there, and as Slurm runs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.harness import IMAGE, Sandbox

pytestmark = pytest.mark.sandbox

DIRECTORY = "/usr/local/lib/slipway/epilog.d"
SCRIPT = f"{DIRECTORY}/50-docker"
NODE = "compute1"
OPTIONS = ("--tags", "docker", "--limit", NODE)
LISTING = "docker ps --format '{{.Names}}' | sort"
NAMES = {"left": "", "service": "--restart always", "labelled": "--label slipway.keep=yes"}
CONFIG = "/etc/slurm/slurm.conf"


def start(options: str, name: str) -> str:
    return f"docker run --detach --name {name} {options} {IMAGE} sleep 3600"


@pytest.fixture(scope="module")
def epilog(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox with the script on one node."""
    sandbox.settle()
    sandbox.converge(*OPTIONS, docker_job_cleanup_enabled=True).succeeded()
    yield sandbox
    sandbox.converge(*OPTIONS).succeeded()
    assert sandbox.ask(NODE, f"ls {SCRIPT} 2>&1 || true").endswith("No such file or directory")


def test_what_another_job_may_own_stays(epilog: Sandbox) -> None:
    for name, options in NAMES.items():
        epilog.ask(NODE, start(options, name), "member")
    epilog.ask("login1", f"(srun --nodelist={NODE} sleep 600 & sleep 2) > /dev/null 2>&1", "member")
    epilog.ask(NODE, f"SLURM_JOB_ID=1 {SCRIPT}")
    assert epilog.ask(NODE, LISTING).split() == ["labelled", "left", "service"], "another job is on the node"
    epilog.ask("head", "scancel --user=member; while squeue --noheader | grep -q .; do sleep 0.2; done; sleep 1")
    epilog.ask(NODE, f"SLURM_JOB_ID=1 {SCRIPT}")
    assert epilog.ask(NODE, LISTING).split() == ["labelled", "service"]
    epilog.ask(NODE, "docker rm --force labelled service")


@pytest.fixture
def configured(epilog: Sandbox) -> Iterator[Sandbox]:
    """Slurm told of the script as the README says."""
    epilog.ask(
        "head", f"cp -a {CONFIG} /root/slurm.conf; echo 'Epilog={DIRECTORY}/*' >> {CONFIG}; scontrol reconfigure"
    )
    yield epilog
    epilog.ask("head", f"mv /root/slurm.conf {CONFIG}; scontrol reconfigure")


def test_slurm_runs_it_when_a_job_ends(configured: Sandbox) -> None:
    """With the environment that Slurm gives an epilog, which is nearly none."""
    # Slurm counts them, because there may be several.
    shown = configured.ask("head", "sleep 2; scontrol show config | grep '^Epilog'")
    assert DIRECTORY in shown, shown
    jobs = " && ".join(start(options, name) for name, options in NAMES.items())
    configured.ask("login1", f'timeout 120 srun --nodelist={NODE} bash -c "{jobs}"', "member")
    wait = f"for try in $(seq 60); do {LISTING} | grep -q left || break; sleep 1; done; {LISTING}"
    assert configured.ask(NODE, wait).split() == ["labelled", "service"]
    assert "left behind when job" in configured.ask(NODE, "journalctl --identifier=slipway-epilog --output=cat")
    assert "drain" not in configured.ask("head", f"sinfo --noheader --nodes={NODE} --format=%T")
    configured.ask(NODE, "docker rm --force labelled service")
