"""The acceptance suite on real nodes: interrupted anywhere, asked for nonsense, draining and resuming.

`make faults` takes every point of interruption, `make test` one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import registry, stack
from cluster.process import Runner

from tests.faults import bench
from tests.sandbox.harness import ROOT, Sandbox
from validate.model import NO_RESULT

pytestmark = pytest.mark.sandbox

STEP = "squeue --noheader --steps --format=%i | grep -F .{} | grep -v batch"
# Where a run is: name -> what holds on the head once it is there.
POINTS = {
    "survey": "true",
    "batch script": "squeue --noheader --format=%j | grep ^validate-",
    "host step": STEP.format(0),
    "container step": STEP.format(1),
    "one GPU step": STEP.format(2),
}
if os.environ.get("FAULTS") != "all":
    POINTS = {"host step": POINTS["host step"]}
HOOK = "/usr/share/enroot/hooks.d/50-slurm-pmi.sh"


def command(output: Path, *options: str) -> list[str]:
    words = [sys.executable, "-m", "validate", "run", "--inventory=inventories/sandbox", "--limit=compute1"]
    return [*words, f"--output={output}", *options]


def run(sandbox: Sandbox, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(output, *options), cwd=ROOT, env=sandbox.environment(), text=True, capture_output=True, check=False
    )


@pytest.fixture(scope="module")
def ready(sandbox: Sandbox) -> Sandbox:
    sandbox.settle()
    stack.stage_image(Runner(), sandbox.settings)
    sandbox.look()
    bench.settle(sandbox)
    return sandbox


@pytest.mark.parametrize("point", POINTS)
def test_an_interrupt_leaves_nothing_behind_and_invents_no_verdict(ready: Sandbox, tmp_path: Path, point: str) -> None:
    before = bench.picture(ready)
    process = subprocess.Popen(
        command(tmp_path),
        cwd=ROOT,
        env=ready.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 120
    while ready.execute("head", POINTS[point]).code and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None, f"it ended before its {point}"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=90)
    bench.settle(ready)
    left = bench.changes(before, bench.picture(ready))
    assert left == [], "\n".join(left)
    assert "interrupted" in output and "Traceback" not in output
    stored = tmp_path / "results.json"
    assert process.returncode == (2 if stored.exists() else 3), output
    if stored.exists():
        document = json.loads(stored.read_text())
        assert document["cluster"]["interrupted"] is True
        bad = [cell for cell in document["verdicts"] if cell["status"] not in ("PASS", "SKIP")]
        assert bad and {cell["status"] for cell in bad} == {NO_RESULT}, bad
        assert all("stopped" in cell["cause"] for cell in bad), bad


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit=compute99"], "no such node: compute99; there are compute1"),
        (["--kind=h800"], "no profile for 'h800'; there are amd"),
        (["--only=N-99"], "no such check: N-99"),
        (["--tier=extreme"], "none of quick, standard, deep"),
        (["--user=nobody-here"], "did not end well"),
        (["--drain"], "need an operator of Slurm, and guest is none"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(ready: Sandbox, tmp_path: Path, options: list[str], said: str) -> None:
    done = run(ready, tmp_path, "--operator=guest", *options)
    assert done.returncode == 3 and said in done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "results.json").exists()
    bench.settle(ready)


@pytest.fixture
def broken_hook(ready: Sandbox) -> Iterator[Sandbox]:
    """A hook without its x bit on compute1; afterwards both are as before."""
    ready.ask("compute1", f"chmod -x {HOOK}")
    yield ready
    ready.ask("compute1", f"chmod +x {HOOK}")
    for node in ready.computes:
        ready.execute("head", f"scontrol update nodename={node} state=resume")
    bench.settle(ready)


def state(sandbox: Sandbox, node: str) -> str:
    return sandbox.ask("head", f"sinfo --noheader --nodes={node} --format='%T %E'")


def test_a_bad_node_is_drained_and_comes_back_when_it_passes(broken_hook: Sandbox, tmp_path: Path) -> None:
    sandbox = broken_hook
    other = sandbox.computes[1]
    sandbox.ask("head", f"scontrol update nodename={other} state=drain reason='disk swap'")
    options = ("--only=N-08,N-12", "--operator=root", f"--limit=compute1,{other}")

    done = run(sandbox, tmp_path, *options)
    assert done.returncode == 1 and state(sandbox, "compute1").startswith("idle"), done.stdout

    done = run(sandbox, tmp_path, "--drain", *options)
    assert done.returncode == 1 and "compute1 drained: slipway-validate:N-12" in done.stdout, done.stdout + done.stderr
    drained = state(sandbox, "compute1")
    assert drained.startswith("drained slipway-validate:N-12 50-slurm-pmi.sh")

    done = run(sandbox, tmp_path, "--resume", *options)
    assert "compute1 stays drained: N-12 FAIL" in done.stdout, done.stdout + done.stderr
    assert state(sandbox, "compute1") == drained

    sandbox.ask("compute1", f"chmod +x {HOOK}")
    done = run(sandbox, tmp_path, "--resume", *options)
    assert "compute1 resumed: what drained it passes" in done.stdout, done.stdout + done.stderr
    assert state(sandbox, "compute1").startswith("idle") and state(sandbox, other) == "drained disk swap"
    assert "No reservations" in sandbox.ask("head", "scontrol show reservation")


@pytest.mark.skipif(os.environ.get("FAULTS") != "all", reason="making it takes a minute: make faults")
def test_the_probe_image_holds_what_pmix_is_tried_with(ready: Sandbox, tmp_path: Path) -> None:
    suite, file = registry.other_distribution(ready.cluster.distribution), "/images/probe.sqsh"
    words = ["make", "probe-image", f"REGISTRY={ready.cluster.node('head').address}:{registry.PORT}", f"SUITE={suite}"]
    environment = {**ready.environment(), "TLS_VERIFY": "false"}
    done = subprocess.run(words, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    source = f"docker://head:{registry.PORT}/slipway/probe:{suite}"
    try:
        ready.ask("login1", f"rm -f {file}; enroot import --output {file} {source}", "operator")
        judged = bench.validate(ready, [f"--image={file}", "--limit=compute1"], tmp_path)
        assert bench.complaints(None, judged) == []
        (found,) = (cell.observed for cell in judged.of("compute1") if cell.check == "M-01")
        assert "by PMIx itself" in found
    finally:
        ready.ask("login1", f"rm -f {file}", "operator")
