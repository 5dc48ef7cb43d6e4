"""What the recorder writes down of checks that observe: the commands that testinfra is then given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench import side_by_side
from bench.recorder import Recorder
from validate.catalogue import chosen
from validate.checks import n_08_user_namespaces, n_12_hooks


def test_what_a_check_runs_and_reads_is_kept_and_observed_as_ever(tmp_path: Path) -> None:
    hook = tmp_path / "etc" / "enroot" / "hooks.d" / "50-slurm-pmi.sh"
    hook.parent.mkdir(parents=True)
    hook.touch(0o755)
    node = Recorder({}, root=str(tmp_path))
    assert n_12_hooks.observe(node) == {"50-slurm-pmi.sh": ""}
    assert "limit" in n_08_user_namespaces.observe(node)
    n_12_hooks.observe(node)
    assert list(node.asked) == [
        "ls -la /etc", "ls -la /etc/enroot", "ls -la /etc/enroot/hooks.d",
        "unshare --user --map-root-user true", "cat /proc/sys/user/max_user_namespaces",
    ]  # fmt: skip


def test_a_file_that_is_tried_and_read_is_not_looked_at_besides(tmp_path: Path) -> None:
    node = Recorder({}, root=str(tmp_path))
    node.problem("/etc/a b")
    node.read("/etc/a b")
    assert list(node.asked) == ["test -r '/etc/a b'", "cat '/etc/a b'"]


def test_devices_and_programs_are_kept(tmp_path: Path) -> None:
    node = Recorder({}, root=str(tmp_path))
    node.which("docker")
    node.devices()
    node.openable(["nvidia0", "nvidia1"])
    assert list(node.asked) == ["command -v docker", "ls -d /dev/nvidia[0-9]*", ": < /dev/nvidia0; : < /dev/nvidia1"]


def test_it_is_sent_with_the_checks_and_prints_the_commands() -> None:
    entries = chosen("quick", ["N-08"])
    order = {"settings": {}, "modules": ["validate.checks.n_08_user_namespaces"]}
    command = [sys.executable, "-I", "-c", *side_by_side.program(entries.values()), json.dumps(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["unshare --user --map-root-user true", "cat /proc/sys/user/max_user_namespaces"]
