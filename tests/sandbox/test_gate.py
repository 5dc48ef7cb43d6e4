"""The gate: no plugin that does not load is ever registered or switched to, and jobs go on meanwhile."""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sandbox import snapshots
from tests.sandbox.harness import IMAGE, INSIDE, Sandbox
from tests.sandbox.playbook_run import Run
from tests.sandbox.submissions import Submissions

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("only_pyxis")]

LINK = "/usr/local/lib/slipway/pyxis/spank_pyxis.so"
PLUGSTACK = "/etc/slurm/plugstack.conf"
SLURM_CONF = "/etc/slurm/slurm.conf"
CONTROLLER_INCLUDES = "/etc/slurm/plugstack.conf.d"
AARCH64 = 183
# A change of the line that breaks nothing: it has the run go through registration, reload and proof.
CHANGED_ARGUMENTS = {"pyxis_arguments": {"execute_entrypoint": False}}


def slurm_version(sandbox: Sandbox) -> tuple[int, int, int]:
    major, minor, micro = sandbox.ask("head", "scontrol --version").split()[1].split(".")[:3]
    return int(major), int(minor), int(micro)


def good_plugin(sandbox: Sandbox) -> Path:
    """Return the build that the nodes have, in the cache of the control node."""
    (build,) = sandbox.build_cache.glob(f"spank_pyxis-{sandbox.version('pyxis')}-slurm-*.so")
    return build


def for_another_slurm(good: bytes, version: tuple[int, int, int]) -> bytes:
    def packed(parts: tuple[int, int, int]) -> bytes:
        return struct.pack("<I", parts[0] << 16 | parts[1] << 8 | parts[2])

    assert packed(version) in good
    return good.replace(packed(version), packed((version[0] - 2, version[1], version[2])))


def for_another_machine(good: bytes) -> bytes:
    return good[:18] + struct.pack("<H", AARCH64) + good[20:]


# Prebuilt plugins


@dataclass(frozen=True)
class Refusal:
    """A run that offered a broken plugin to each node, and what jobs met with meanwhile."""

    run: Run
    jobs: Submissions
    before: dict[str, snapshots.Snapshot]
    after: dict[str, snapshots.Snapshot]


@pytest.fixture(scope="module")
def prebuilt(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Refusal:
    """Each node is offered another broken build, whole by its checksum, under the name of the one it runs."""
    sandbox.settle()
    good, base = good_plugin(sandbox), tmp_path_factory.mktemp("prebuilt")
    data = good.read_bytes()
    broken = {
        "head": b"\x7fELX" + data[4:],
        "login1": for_another_machine(data),
        "compute1": for_another_slurm(data, slurm_version(sandbox)),
        "compute2": data[: len(data) // 2],
    }
    for node, content in broken.items():
        directory = base / node
        directory.mkdir()
        (directory / good.name).write_bytes(content)
        checksum = hashlib.sha256(content).hexdigest()
        (directory / f"{good.name}.sha256").write_text(f"{checksum}  {good.name}\n")
    before = snapshots.managed(sandbox)
    with sandbox.submissions() as jobs:
        run = sandbox.converge(pyxis_prebuilt_directory=f"{base}/{{{{ inventory_hostname }}}}")
    return Refusal(run.failed(), jobs, before, snapshots.managed(sandbox))


def test_a_plugin_for_another_slurm_is_refused(sandbox: Sandbox, prebuilt: Refusal) -> None:
    assert "built for another Slurm" in prebuilt.run.failures["compute1"]


def test_a_truncated_plugin_is_refused(prebuilt: Refusal) -> None:
    assert "truncated" in prebuilt.run.failures["compute2"]


def test_a_plugin_for_another_architecture_is_refused(prebuilt: Refusal) -> None:
    assert "aarch64" in prebuilt.run.failures["login1"]


def test_a_file_that_is_no_plugin_is_refused(prebuilt: Refusal) -> None:
    assert "ELF" in prebuilt.run.failures["head"]


def test_a_refused_plugin_changes_nothing(prebuilt: Refusal) -> None:
    for node, before in prebuilt.before.items():
        assert not snapshots.difference(before, prebuilt.after[node]), node


def test_jobs_run_while_plugins_are_refused(sandbox: Sandbox, prebuilt: Refusal) -> None:
    prebuilt.jobs.none_failed()
    sandbox.serves_jobs()


def test_a_damaged_build_in_the_cache_is_made_again(converged: Sandbox) -> None:
    build = good_plugin(converged)
    good = build.read_bytes()
    build.write_bytes(good[: len(good) // 2])
    run = converged.converge().succeeded()
    assert f"{build} is damaged" in run.text
    assert build.read_bytes() == good


# The registration


def test_a_plugin_registered_twice_is_resolved(converged: Sandbox) -> None:
    line = converged.ask("head", f"grep spank_pyxis {PLUGSTACK}")
    with converged.submissions() as jobs:
        converged.alter("head", f"echo '{line}' >> {PLUGSTACK}")
        converged.converge().succeeded()
    jobs.none_failed()
    assert converged.ask("head", f"grep -c spank_pyxis {PLUGSTACK}") == "1"
    converged.serves_jobs()


def test_an_unreadable_file_beside_plugstack_is_named(converged: Sandbox) -> None:
    hidden = f"{CONTROLLER_INCLUDES}/site.conf"
    before = converged.ask("head", f"cat {PLUGSTACK}")
    with converged.submissions() as jobs:
        converged.alter("head", f"install -m 0600 /dev/null {hidden}")
        try:
            run = converged.converge(**CHANGED_ARGUMENTS).failed()
        finally:
            converged.alter("head", f"rm {hidden}")
    jobs.none_failed()
    assert f"Failed to open {hidden}: Permission denied" in run.failures["head"]
    assert converged.ask("head", f"cat {PLUGSTACK}") == before
    converged.serves_jobs()


# The proof


CAUSE = "the scratch disk of this site is gone"
HOOK = "/etc/enroot/hooks.d/60-site.sh"
FAILING_HOOK = f"printf '#!/bin/sh\\necho \"{CAUSE}\" >&2\\nexit 1\\n' > {HOOK}; chmod 0755 {HOOK}"


def test_a_failed_proof_brings_the_registration_back(converged: Sandbox) -> None:
    """With a hook of the site's own every container fails, and no plain job does."""
    before = converged.ask("head", f"cat {PLUGSTACK}")
    for node in converged.computes:
        converged.alter(node, FAILING_HOOK)
    try:
        with converged.submissions() as jobs:
            run = converged.converge(**CHANGED_ARGUMENTS).failed()
    finally:
        for node in converged.computes:
            converged.alter(node, f"rm {HOOK}")
    jobs.none_failed()
    assert CAUSE in run.failures["head"]
    assert converged.ask("head", f"cat {PLUGSTACK}") == before
    converged.serves_jobs()


@contextmanager
def refused_configuration(sandbox: Sandbox) -> Iterator[None]:
    """Somebody else's slurm.conf: clients read it, and slurmctld refuses it and goes on with the one it has."""
    sandbox.alter("head", f"cp -a {SLURM_CONF} /root/slurm.conf; echo PriorityType=priority/nosuch >> {SLURM_CONF}")
    try:
        yield
    finally:
        sandbox.alter("head", f"mv /root/slurm.conf {SLURM_CONF}")


def test_a_configuration_that_slurmctld_refuses_brings_the_registration_back(converged: Sandbox) -> None:
    if slurm_version(converged) < (23, 11, 0):
        pytest.skip("slurmctld judges its configuration before it takes it from 23.11 on")
    before = converged.ask("head", f"cat {PLUGSTACK}")
    with refused_configuration(converged), converged.submissions() as jobs:
        changed = converged.converge(**CHANGED_ARGUMENTS).failed()
        after_change = converged.ask("head", f"cat {PLUGSTACK}")
        removed = converged.play("remove").failed()
    jobs.none_failed()
    cause = "`scontrol reconfigure` fails: slurm_reconfigure error"
    assert cause in changed.text and "The registration and the plugin are as they were before" in changed.text
    assert cause in removed.text and "nothing was deleted" in removed.text
    assert after_change == converged.ask("head", f"cat {PLUGSTACK}") == before
    converged.converge().unchanged()
    converged.serves_jobs()


def test_without_a_free_node_the_registration_is_unproven_and_stays(converged: Sandbox) -> None:
    job = f"--quiet --exclusive --nodes={len(converged.computes)} --job-name=busy --output=/dev/null"
    converged.ask("login1", f"sbatch {job} --wrap 'sleep 600'", "member")
    try:
        run = converged.converge(**CHANGED_ARGUMENTS, pyxis_proof_immediate=2).succeeded()
    finally:
        converged.ask("login1", "scancel --name=busy", "member")
    assert "unproven" in run.text and "no node was free" in run.text
    assert "execute_entrypoint=0" in converged.ask("head", f"cat {PLUGSTACK}")
    converged.serves_jobs()


# Another version


@pytest.fixture
def next_version(converged: Sandbox, tmp_path: Path) -> str:
    """A version of pyxis that the nodes do not have: the same source under another name."""
    version = f"{converged.version('pyxis')}.next"
    for path in converged.mirror.iterdir():
        shutil.copy2(path, tmp_path / path.name)
    shutil.copy2(converged.mirror / f"pyxis-{converged.version('pyxis')}.tar.gz", tmp_path / f"pyxis-{version}.tar.gz")
    return version


# Both wait in their containers until the version has changed.
LONG_JOBS = f"""
cd && rm -f go srun.out batch.out inside-*
cat > wait.sh <<'END'
touch $HOME/inside-$SLURMD_NODENAME
until [ -e $HOME/go ]; do sleep 1; done
cat /etc/os-release
END
cat > batch.sh <<'END'
#!/bin/sh
#SBATCH --container-image={IMAGE}
. $HOME/wait.sh
END
setsid srun --nodelist=compute1 --container-image={IMAGE} --container-mounts=$HOME sh $HOME/wait.sh > srun.out 2>&1 &
sbatch --quiet --nodelist=compute2 --container-mounts=$HOME --output=$HOME/batch.out batch.sh
for second in $(seq 60); do [ -e inside-compute1 ] && [ -e inside-compute2 ] && exit; sleep 1; done; cat *.out; exit 1
"""
RUNNING = "squeue --noheader --states=running --user=member --name=sh,batch.sh --format=%i"
END_LONG_JOBS = (
    'touch ~/go; for second in $(seq 60); do [ -z "$(squeue -hu member)" ] && exit; sleep 1; done; squeue; false'
)
RECONFIGURE = "RUNNING HANDLER [slipway.containers.slurm_handlers : Slurm_handlers | Have every daemon read its"
LOADED = "cat /proc/$(pgrep -xo slurmd)/maps | grep -o '/.*spank_pyxis.so' | sort -u"


def test_running_jobs_survive_a_change_of_version(converged: Sandbox, next_version: str, tmp_path: Path) -> None:
    converged.ask("login1", LONG_JOBS, "member")
    old = converged.ask("compute1", f"readlink {LINK}")
    running = converged.ask("login1", RUNNING)
    assert len(running.splitlines()) == 2
    with converged.submissions() as jobs:
        run = converged.converge(
            pyxis_version=next_version, artifact_mirror=str(tmp_path), artifacts_allow_unlocked=True
        ).succeeded()
        assert set(running.splitlines()) <= set(converged.ask("login1", RUNNING).splitlines())
    jobs.none_failed()
    converged.ask("login1", END_LONG_JOBS, "member")
    for output in ("srun.out", "batch.out"):
        assert INSIDE in converged.ask("login1", f"cat /home/member/{output}")
    for node in converged.computes:
        assert f"/{next_version}-slurm-" in converged.ask(node, f"readlink {LINK}")
        assert f"/{next_version}-slurm-" in converged.ask(node, LOADED)
        assert converged.ask(node, f"test -e {old} && echo kept") == "kept"
    assert "proven" in run.text
    assert RECONFIGURE not in run.output, "slurmctld was made to re-execute itself, for a line that did not change"
    converged.runs_containers()


def test_a_run_for_one_node_is_proven_on_that_node(converged: Sandbox, next_version: str, tmp_path: Path) -> None:
    mirror = {"artifact_mirror": str(tmp_path), "artifacts_allow_unlocked": True}
    run = converged.converge("--limit", "compute2", pyxis_version=next_version, **mirror).succeeded()
    assert "proven compute2" in run.text
    assert f"/{next_version}-slurm-" in converged.ask("compute2", LOADED)
    assert f"/{next_version}-slurm-" not in converged.ask("compute1", LOADED)
    converged.serves_jobs()
