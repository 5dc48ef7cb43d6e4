"""Nodes beside each other: two that differ, one that does not work, several with faults of their own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.validate.conftest import GOOD
from validate import results
from validate.model import FAIL, PASS, SKIP, WARN


def alarms(document: dict[str, Any]) -> dict[str, str]:
    """Return every alarm as node/check -> status, but those that another one explains."""
    cells = results.judged(document).verdicts
    return {f"{cell.node}/{cell.check}": cell.status for cell in cells if cell.status not in (PASS, SKIP, "BLOCKED")}


def two(document):
    """Leave a login host and two nodes."""
    document["roster"] = document["roster"][:3]
    return {name: document["hosts"][name]["checks"] for name in ("gpu001", "gpu002")}


def test_of_two_nodes_that_differ_both_are_warned_with_both_values(document, verdict):
    two(document)["gpu002"]["N-06"]["observed"].update({"enroot": "4.0.1-1", "enroot version": "4.0.1"})
    assert set(alarms(document).values()) == {WARN}
    assert list(alarms(document)) == ["gpu001/N-06", "gpu002/N-06"]
    for name in ("gpu001", "gpu002"):
        cell = verdict(document, name, "N-06")
        assert cell.observed == "enroot: gpu002 4.0.1-1, gpu001 4.1.2-1"
        assert "cannot be told which is right" in cell.cause and cell.fix
    assert results.judged(document).exit_code == 0


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("N-03", {"nvidia": {**GOOD["N-03"]["nvidia"], "numbers": {"nvidia0": "195:7"}}}),
        ("N-07", {"/etc/enroot/environ.d/99-x.env": "0123 0644"}),
        ("N-07", {"/etc/slurm/cgroup.conf": "0123 0644"}),
        ("N-10", {"ENROOT_DATA_PATH": {**GOOD["N-10"]["ENROOT_DATA_PATH"], "mount": "/"}}),
        ("N-21", {"mlx5_0/1": ["4: ACTIVE", "400 Gb/sec"]}),
        ("N-22", {"stack": 4096}),
        ("N-27", {"release": "5.10.0"}),
        ("N-30", {"mtu": "1500"}),
        ("N-30", {"lookup": "files"}),
    ],
)
def test_every_comparison_says_what_two_nodes_differ_in(document, check, changes):
    two(document)["gpu002"][check]["observed"].update(changes)
    assert alarms(document) == {
        f"gpu001/{check}": WARN,
        f"gpu002/{check}": WARN,
    }


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("C-10", {"home": {**GOOD["C-10"]["home"], "access": "ro"}}),
        ("C-10", {"home": {**GOOD["C-10"]["home"], "mount": "/", "problem": "No such file or directory"}}),
        ("N-10", {"temporary files": {**GOOD["N-10"]["temporary files"], "options": "rw,noexec"}}),
        ("N-05", {"jq": ""}),
        ("N-22", {"nproc": 1000}),
        ("N-29", {"boot": {"slurmd": {"state": "active", "enabled": "disabled"}}}),
        ("N-30", {"own_name": False, "hostname": "localhost"}),
        ("N-30", {"resolved": ["its own name"]}),
        ("N-30", {"nameserver": "none of 1 answers"}),
        ("N-30", {"preload": "/usr/lib/x.so"}),
    ],
)
def test_of_two_nodes_the_one_that_does_not_work_is_named(document, check, changes):
    two(document)["gpu002"][check]["observed"].update(changes)
    assert alarms(document) == {f"gpu002/{check}": FAIL}


def test_two_nodes_of_different_kinds_are_not_compared(document):
    checks = two(document)
    document["settings"]["kind"] = ""
    for name, kind in (("gpu001", "nvidia"), ("gpu002", "amd")):
        document["hosts"][name]["steps"]["host"]["hello"]["hardware"] = {kind: 8}
    checks["gpu002"]["N-27"]["observed"]["release"] = "5.10.0"
    checks["gpu002"]["N-06"]["observed"].update({"enroot": "4.0.1-1", "enroot version": "4.0.1"})
    assert not {name for name in alarms(document) if name.endswith(("N-06", "N-27"))}


def test_what_a_failure_of_one_of_two_nodes_explains_warns_on_none(document, verdict):
    checks = two(document)["gpu002"]
    checks["N-28"]["observed"]["pyxis"] = []
    checks["N-06"]["observed"].pop("pyxis")
    checks["N-07"]["observed"]["/etc/slurm/plugstack.conf"] = "0123 0644"
    assert list(alarms(document)) == ["gpu002/N-28"]
    assert "see N-28 on gpu002" in verdict(document, "gpu001", "N-06").observed


def test_two_of_four_accuse_nobody_and_one_of_three_is_named(document):
    document["roster"] = document["roster"][:5]
    for name in ("gpu003", "gpu004"):
        document["hosts"][name]["checks"]["N-27"]["observed"]["release"] = "5.10.0"
    assert set(alarms(document).values()) == {WARN} and len(alarms(document)) == 4
    document["roster"] = document["roster"][:4]
    assert alarms(document) == {"gpu003/N-27": FAIL}


def test_two_of_three_nodes_with_a_fault_of_their_own_are_both_named(document):
    document["roster"] = document["roster"][:4]
    document["hosts"]["gpu002"]["checks"]["N-07"]["observed"]["/etc/enroot/x"] = "0 0644"
    document["hosts"]["gpu003"]["checks"]["N-07"]["observed"]["/etc/enroot/enroot.conf"] = "1 0644"
    assert alarms(document) == {"gpu002/N-07": FAIL, "gpu003/N-07": FAIL}


def test_one_node_alone_is_judged_by_what_needs_no_other(document, verdict):
    document["roster"] = document["roster"][:2]
    checks = document["hosts"]["gpu001"]["checks"]
    assert alarms(document) == {}
    checks["N-30"]["observed"].update(nameserver="none of 1 answers")
    assert verdict(document, "gpu001", "N-30").status == WARN
    document["roster"][1]["hostname"] = "gpu001.cluster"
    checks["N-30"]["observed"].update(hostname="localhost", own_name=False)
    assert verdict(document, "gpu001", "N-30").observed == "its hostname is localhost"
    checks["N-29"]["observed"]["boot"]["slurmd"]["enabled"] = "disabled"
    assert verdict(document, "gpu001", "N-29").status == WARN


def test_what_each_node_has_of_its_own_is_not_compared(document):
    for name, host in document["hosts"].items():
        if name != "login1":
            host["checks"]["N-07"]["observed"]["/etc/systemd/system/slurmd.service.d/own.conf"] = f"{name} 0644"
    assert alarms(document) == {}
