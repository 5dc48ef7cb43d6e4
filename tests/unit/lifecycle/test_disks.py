"""Cases D: disks that are full, late, broken or not there."""

from __future__ import annotations

import pytest

from lifecycle.fitness import Space, disk_wait_needed
from lifecycle.node import mount_type

case = pytest.mark.case
GIBIBYTE = 1 << 30
UNIT = "dlami-nvme.service"


@case("D1")
def test_a_full_root_is_said_with_sizes_before_any_change(hook):
    hook.node.spaces["/"] = Space("/", 12 << 20, 100 * GIBIBYTE, 10**6, 2 * 10**6)
    outcome = hook("user-data")
    assert outcome.code == 4 and not outcome.runs
    assert "/: 12 MiB free of 102400 MiB, needed are 1024 MiB" in outcome.last


@case("D3")
def test_exhausted_inodes_are_said(hook):
    hook.node.spaces["/"] = Space("/", 50 * GIBIBYTE, 100 * GIBIBYTE, 17, 2 * 10**6)
    outcome = hook("user-data")
    assert outcome.code == 4 and "/: 17 inodes free of 2000000" in outcome.last
    hook.node.spaces["/"] = Space("/", 50 * GIBIBYTE, 100 * GIBIBYTE, 0, 0)
    assert hook("user-data").code == 0, "a filesystem that counts no inodes has enough"


@case("D4")
def test_without_unit_and_device_nothing_is_waited_for(hyperpod):
    outcome = hyperpod("on-init-complete", "--spread-seconds", "0")
    step = next(step for step in outcome.report["steps"] if step["name"] == "wait for disk")
    assert outcome.code == 0 and step["duration"] == 0
    hyperpod.node.units[UNIT] = "inactive"
    assert not disk_wait_needed("inactive", False)


@case("D5")
def test_a_disk_that_is_being_set_up_is_waited_for(hyperpod):
    hyperpod.node.units[UNIT] = "activating"
    hyperpod.clock.later[60] = lambda: hyperpod.node.units.update({UNIT: "active"})
    outcome = hyperpod("on-init-complete")
    step = next(step for step in outcome.report["steps"] if step["name"] == "wait for disk")
    assert outcome.code == 0 and 58 <= step["duration"] <= 62 and not outcome.report["warnings"]


@case("D6")
@pytest.mark.parametrize(("state", "said"), [("failed", "failed"), ("activating", "still starting")])
def test_a_disk_that_does_not_come_is_gone_on_without(hyperpod, state, said):
    hyperpod.node.units[UNIT] = state
    outcome = hyperpod("on-init-complete")
    assert outcome.code == 0 and outcome.runs
    assert any("/opt/dlami/nvme is not usable" in text and said in text for text in outcome.report["warnings"])
    assert outcome.clock.time <= 140


@case("D8")
def test_a_mount_is_looked_up_and_never_guessed_from_a_name():
    text = (
        "36 35 98:0 / /opt/slurm2 rw - nfs4 h:/x rw\n"
        "37 35 98:0 / /opt/slurm rw,noatime master:1 - ext4 /dev/x rw\n"
        "38 35 98:0 / /opt/slurm rw shared:2 - nfs h:/opt/slurm rw\nbroken\n"
    )
    assert mount_type(text, "/opt/slurm") == "nfs", "the last one mounted is the one that is seen"
    assert mount_type(text, "/opt") == "" and mount_type("", "/opt/slurm") == ""
