"""The proof job: its script in a real shell, and the judge on recorded texts."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import container_proof as proof
from ansible_collections.slipway.containers.plugins.modules import container_proof as module

Recorded = Callable[[str], str]
TOKEN = "0123456789abcdef"
RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n'
HOST = "slipway-host-begin node1\n" + RELEASE + "root 28\nslipway-host-end\n"
INSIDE = "slipway-container-begin node1\nID=slipway-proof\nVERSION_ID=%s\nroot 512\nslipway-container-end\n" % TOKEN
GRANTED = "salloc: Granted job allocation 7\nsalloc: Nodes node1 are ready for job\n"
END = "salloc: Relinquishing job allocation 7\n"

CAUSES = {
    "slurmd-not-restarted-container": "task 0 launch failed: Plugin initialization failed",
    "name-unknown": 'error: a container with name "pyxis_nope" does not exist, and --container-image is not set',
    "image-404": "[ERROR] URL http://127.0.0.1:5000/v2/nosuchimage/manifests/latest returned error code: 404 Not Found",
    "registry-unknown": "curl: (6) Could not resolve host: registry.invalid",
    "registry-401": "[ERROR] URL http://127.0.0.1:5000/token returned error code: 401 Unauthorized",
    "sqsh-missing": "[ERROR] No such file or directory: /no/such.sqsh",
    "command-missing": "execve(): nosuchcommand: No such file or directory",
    "no-shell-in-image": "enroot-switchroot: failed to execute: /bin/sh: No such file or directory",
    "hook-fails": "[ERROR] /etc/enroot/hooks.d/50-fail.sh exited with return code 3",
    "mountsd-missing-source": "enroot-mount: failed to mount: /no/such/source at",
    "container-mounts-missing": "--container-mounts: source path does not exist: /no/such",
    "lostcap-aufs2ovlfs": "enroot-aufs2ovlfs: failed to set capabilities: Operation not permitted",
    "no-enroot": "failed to create container filesystem for image: /home/alice/ok.sqsh",
    "data-unwritable": "mkdir: cannot create directory ‘/nowhere’: Permission denied",  # noqa: RUF001 -- as recorded
    "node-required-missing": "Task launch for StepId=50.0 failed on node node1: Communication connection failure",
    "removed": "unrecognized option '--container-image=127.0.0.1:5000#busybox:latest'",
    "required-missing-salloc": "plugin_load_from_file: dlopen(/opt/badso/nowhere.so): /opt/badso/nowhere.so",
}


def judge(code: int | None, output: str, errors: str, *, container: bool = True, token: str = TOKEN) -> tuple[str, str]:
    verdict = proof.judge(code, output, errors, container, token)
    assert "\n" not in verdict.cause
    return verdict.outcome, verdict.cause


@pytest.mark.parametrize("case", CAUSES)
def test_the_inner_cause(recorded: Recorded, case: str) -> None:
    text = recorded("pyxis-0.24.0/%s.txt" % case)
    assert proof.inner_cause(text).startswith(CAUSES[case])
    # What salloc says around it changes nothing.
    assert proof.inner_cause(GRANTED + text + END).startswith(CAUSES[case])


@pytest.mark.parametrize("text", ["", "\n", GRANTED, "\0\udcff\n"])
def test_the_cause_in_what_says_nothing(text: str) -> None:
    assert proof.inner_cause(text)
    assert "\n" not in proof.inner_cause(text)


def test_proven() -> None:
    assert proof.judge(0, HOST + INSIDE, GRANTED + END, True, TOKEN) == ("proven", "", "node1")
    assert proof.judge(0, HOST, GRANTED + END, False, TOKEN) == ("proven", "", "node1")


def test_a_job_that_ran_on_the_host() -> None:
    outside = HOST.replace("host-", "container-")
    assert judge(0, HOST + outside, GRANTED) == ("failed", "the step ran on the node and not in the container")
    assert judge(0, HOST + outside, GRANTED, token="") == (
        "failed",
        "the step ran on the node and not in the container",
    )


def test_an_image_of_the_nodes_own_distribution_is_not_the_node() -> None:
    inside = HOST.replace("host-", "container-").replace("root 28", "root 512")
    assert judge(0, HOST + inside, GRANTED, token="") == ("proven", "")
    assert judge(0, HOST + inside, GRANTED) == ("failed", "the step ran in some other image than the one asked for")


@pytest.mark.parametrize("cut", [INSIDE[:-10], INSIDE[:30], "slipway-container-begin\n", "slipway-container-end\n", ""])
def test_truncated_output_of_the_container(cut: str) -> None:
    outcome, cause = judge(0, HOST + cut, GRANTED)
    assert outcome == "failed"
    assert cause.startswith("the container step printed nothing whole")


@pytest.mark.parametrize("cut", [HOST[:-10], HOST[:20], "", "garbage\0"])
def test_truncated_output_of_the_host(cut: str) -> None:
    assert judge(0, cut, GRANTED)[0] == "failed"
    # Nothing after a cut host step counts, although the token is there.
    assert judge(0, cut + INSIDE, GRANTED)[0] == "failed"


@pytest.mark.parametrize(("code", "stage"), proof.STAGES.items())
def test_stages(recorded: Recorded, code: int, stage: str) -> None:
    errors = GRANTED + recorded("pyxis-0.24.0/hook-fails.txt") + END
    assert judge(code, HOST if code > 90 else "", errors) == ("failed", stage + ": " + CAUSES["hook-fails"])


def test_a_node_that_has_not_loaded_the_plugin_yet(recorded: Recorded) -> None:
    errors = GRANTED + recorded("pyxis-0.24.0/slurmd-not-restarted-container.txt") + END
    cause = "a plain step without a container failed: task 0 launch failed: Plugin initialization failed"
    assert judge(90, "", errors) == ("failed", cause)


# The texts of slurm_errno.c behind salloc's own.
@pytest.mark.parametrize(
    "text",
    [
        "salloc: error: Unable to allocate resources: Requested nodes are busy\n",
        (
            "salloc: Pending job allocation 161\nsalloc: job 161 queued and waiting for resources\n"
            "salloc: error: Unable to allocate resources: Connection timed out\n"
        ),
        "salloc: error: Job submit/allocate failed: Immediate execution impossible. Submission attempts deferred\n",
        "salloc: error: Unable to allocate resources: Immediate execution impossible, insufficient priority\n",
        "salloc: error: Job submit/allocate failed: Requested partition configuration not available now\n",
    ],
)
def test_busy(text: str) -> None:
    outcome, cause = judge(1, "", text)
    last = text.splitlines()[-1].removeprefix("salloc: error: ")
    assert (outcome, cause) == ("unproven", "no node was free: " + last)
    # Busy with something else, later, inside the allocation, is no reason to call it unproven.
    assert judge(90, "", GRANTED + text)[0] == "failed"


@pytest.mark.parametrize(
    "cause",
    [
        "Job submit/allocate failed: Invalid account or account/partition combination specified",
        "Job submit/allocate failed: User's group not permitted to use this partition",
        "invalid partition specified: nope",
        "Job submit/allocate failed: Unable to contact slurm controller (connect failure)",
        "cli_filter plugin terminated with error",
    ],
)
def test_refused(cause: str) -> None:
    assert judge(1, "", "salloc: error: %s\n" % cause) == ("refused", cause)
    assert judge(1, "", "salloc: error: %s\n" % cause, container=False) == ("refused", cause)


def test_a_client_that_the_registration_broke_is_a_failure_and_no_refusal(recorded: Recorded) -> None:
    outcome, cause = judge(1, "", recorded("pyxis-0.24.0/required-missing-salloc.txt"))
    assert outcome == "failed"
    assert cause.startswith("salloc cannot load the plugin: plugin_load_from_file: dlopen(/opt/badso/nowhere.so)")
    for case in ("other-series", "unknown-argument", "undefined-symbol", "unreadable-plugin"):
        assert (
            judge(1, "", recorded("slurm-24.11.5/help/%s.sbatch.txt" % case).replace("sbatch:", "salloc:"))[0]
            == "failed"
        )


def test_hung(recorded: Recorded) -> None:
    outcome, cause = judge(None, HOST, GRANTED + recorded("pyxis-0.24.0/truncated-norestart.txt"))
    assert outcome == "failed"
    assert cause.startswith("the job did not end in time; so far: ")
    assert proof.judge(None, HOST, GRANTED, True, TOKEN).node == "node1"
    assert judge(None, "", "") == ("failed", "the job did not end in time; so far: nothing was printed")


def test_a_node_that_is_still_starting_is_no_failure() -> None:
    waiting = "salloc: Granted job allocation 7\nsalloc: Waiting for resource configuration\n"
    assert judge(None, "", waiting)[0] == "unproven"
    assert judge(None, "", waiting + "salloc: Nodes cloud1 are ready for job\n")[0] == "failed"


def test_ended_from_outside() -> None:
    outcome, cause = judge(1, HOST, GRANTED + "salloc: Job allocation 7 has been revoked.\n")
    assert outcome == "failed"
    assert cause.startswith("salloc ended with exit code 1: ")
    assert judge(-9, "", GRANTED)[0] == "failed"
    assert judge(-9, "", "") == ("refused", "nothing was printed")


def test_what_a_step_shows_tells_inside_from_outside(tmp_path: Path) -> None:
    """The script that runs on nodes, in this machine's shell; another mount namespace is another root."""
    variables = {**os.environ, **proof.environment(container=True, image="", token=TOKEN), "SLURMD_NODENAME": "n1"}

    def show(*wrapper: str, script: str = "SLIPWAY_PROOF_HOST") -> str:
        command = [*wrapper, "sh", "-c", variables[script]]
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout

    first, second = (proof.between(show(), proof.BEGIN, proof.END) for _ in range(2))
    assert first == second
    assert first is not None
    assert first[0] == "n1"
    assert "root " in first[1]
    assert proof.between(show(script="SLIPWAY_PROOF_INSIDE"), proof.INSIDE_BEGIN, proof.INSIDE_END) == first
    if os.geteuid() == 0:
        assert proof.between(show("unshare", "--mount"), proof.BEGIN, proof.END) != first


def test_environment() -> None:
    assert "SLIPWAY_PROOF_CONTAINER" not in proof.environment(container=False, image="", token="")
    assert proof.environment(container=True, image="/x.sqsh", token="")["SLIPWAY_PROOF_GIVEN"] == "/x.sqsh"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A directory with a salloc that does what the test says, and a scancel that takes notes."""
    (tmp_path / "bin").mkdir()

    def program(name: str, text: str) -> Path:
        path = tmp_path / "bin" / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    program("scancel", 'echo "$@" >> %s\n' % (tmp_path / "cancelled"))
    if os.geteuid() != 0:
        monkeypatch.setenv("PATH", "%s:%s" % (tmp_path / "bin", os.environ["PATH"]))
        program("runuser", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    return lambda text: program("salloc", text)


def prove(run_module: Any, salloc: Path, **parameters: Any) -> dict[str, Any]:
    user = pwd.getpwuid(os.geteuid()).pw_name
    result: dict[str, Any] = run_module("container_proof", **{"user": user, "salloc": str(salloc), **parameters})
    return result


def test_module_proven(run_module: Any, slurm: Callable[[str], Path], tmp_path: Path) -> None:
    """Steps are played by this shell: what is printed inside has the token that the module chose."""
    salloc = slurm(
        'echo "$@" | head -1 > %s; echo "salloc: Granted job allocation 7" >&2; sh -c "$SLIPWAY_PROOF_HOST"\n'
        "echo slipway-container-begin n1; echo $SLIPWAY_PROOF_TOKEN; echo slipway-container-end\n"
        % (tmp_path / "words")
    )
    result = prove(run_module, salloc, account="acme", partition="gpu", timeout=61)
    assert (result["outcome"], result["cause"], result["changed"]) == ("proven", "", False)
    words = (tmp_path / "words").read_text()
    assert "--immediate=10 --time=2 --account=acme --partition=gpu sh -c" in words


def test_module_runs_on_one_node_with_a_configuration_of_its_own(
    run_module: Any, slurm: Callable[[str], Path], tmp_path: Path
) -> None:
    salloc = slurm('echo "$SLURM_CONF $@" | head -1 > %s\n' % (tmp_path / "words"))
    prove(run_module, salloc, node="c1", slurm_conf="/opt/slurm/etc/slurm.conf")
    words = (tmp_path / "words").read_text()
    assert words.startswith("/opt/slurm/etc/slurm.conf ") and " --nodelist=c1 sh -c" in words
    prove(run_module, salloc)
    assert "--nodelist" not in (tmp_path / "words").read_text()


def test_module_says_why_it_is_unproven(
    run_module: Any, slurm: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    salloc = slurm("echo 'salloc: error: Unable to allocate resources: Requested nodes are busy' >&2; exit 1\n")
    result = prove(run_module, salloc)
    assert result["outcome"] == "unproven"
    assert "no container job was run, because no node was free" in warnings[0]
    assert prove(run_module, salloc, check=True)["cause"] == "check mode submits no job"


@pytest.mark.slow
def test_module_ends_a_job_that_hangs(
    run_module: Any, slurm: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command is in a process group of its own, ignores being asked, and holds the pipes open."""
    monkeypatch.setattr(module, "STOP_TIMEOUT", 0.3)
    pid = tmp_path / "pid"
    salloc = slurm(
        "echo 'salloc: Granted job allocation 4711' >&2; echo part\n"
        "setsid sh -c 'trap \"\" TERM; echo $$ > %s; exec sleep 60' &\ntrap '' TERM\nwait; sleep 60\n" % pid
    )
    start = time.monotonic()
    try:
        result = prove(run_module, salloc, immediate=0, timeout=1)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)
    assert time.monotonic() - start < 10
    assert result["outcome"] == "failed"
    assert result["cause"].startswith("the job did not end in time")
    assert "part" in result["output"]
    assert (tmp_path / "cancelled").read_text() == "4711\n"


def test_module_without_the_account(run_module: Any, slurm: Callable[[str], Path]) -> None:
    result = prove(run_module, slurm(""), user="nobody-at-all")
    assert result["msg"] == (
        "pyxis_proof_user: account 'nobody-at-all' does not exist on this host: "
        "name one that this host knows and Slurm lets run jobs"
    )


def test_module_without_salloc(run_module: Any, tmp_path: Path) -> None:
    assert prove(run_module, tmp_path / "salloc")["outcome"] == "refused"
