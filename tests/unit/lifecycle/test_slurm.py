"""Cases S: the state of Slurm differs in every hook, and each has one right thing to do."""

from __future__ import annotations

import pytest
import yaml

from lifecycle import inventory
from lifecycle.identity import Identity
from lifecycle.layout import REPOSITORY
from lifecycle.outcome import ComponentFailed
from lifecycle.plan import Slurm, make_plan, may_fail, without
from tests.unit.lifecycle.conftest import as_controller, cfnconfig

case = pytest.mark.case
INSTALLED = Slurm(True)
COMPONENTS = ("storage", "enroot", "pyxis")


def plan(hook, role="compute", platform="parallelcluster", slurm=INSTALLED, **more):
    return make_plan(hook, Identity(platform, role, ()), slurm, COMPONENTS, **more)


@case("S1")
def test_a_compute_node_that_is_up_before_its_controller_does_its_own_work(hyperpod):
    hyperpod.node.listening.clear()
    outcome = hyperpod("on-create")
    assert outcome.code == 0 and outcome.runs[0]["playbook"] == "site"
    assert "slurmd finds it when it does" in outcome.text
    names = [step["name"] for step in outcome.report["steps"]]
    assert names.index("wait for controller") > names.index("playbook register_first"), "its own work comes first"


@case("S2")
def test_the_controller_starts_slurm_after_everything_is_in_place(hyperpod):
    hyperpod = as_controller(hyperpod)
    hyperpod.node.path("/opt/slurm/etc/slurm.conf").unlink()
    hyperpod.clock.later[20] = lambda: hyperpod.node.write("/opt/slurm/etc/slurm.conf", "")
    outcome = hyperpod("on-create")
    assert outcome.code == 0 and outcome.report["role"] == "controller"
    assert [run["playbook"] for run in outcome.runs] == ["site", "register_first", "start_slurm"]
    assert "OnCreate starts Slurm: slurmctld, after everything else is in place" in outcome.text
    started = [run["playbook"] for run in hyperpod("on-init-complete").runs]
    assert started == ["site", "register_first"], "the platform starts it there"


@case("S2")
def test_a_controller_without_configuration_names_it(hyperpod):
    hyperpod = as_controller(hyperpod)
    hyperpod.node.path("/opt/slurm/etc/slurm.conf").unlink()
    outcome = hyperpod("on-create")
    assert outcome.code == 1 and "/opt/slurm/etc/slurm.conf was not written within 120 s" in outcome.last
    assert not outcome.runs


@case("S8")
def test_slurmd_is_never_started_on_a_controller():
    play = yaml.safe_load((REPOSITORY / "lifecycle/playbooks/start_slurm.yml").read_text())[0]
    assert play["vars"]["slurm_unit"] == "{{ 'slurmctld' if inventory_hostname in groups['controller'] else 'slurmd' }}"
    units = [
        task["ansible.builtin.systemd_service"]["name"]
        for task in play["tasks"]
        if "ansible.builtin.systemd_service" in task
    ]
    assert units == ["{{ slurm_unit }}.service"]


@case("S9")
@pytest.mark.parametrize("role", ["compute", "login"])
def test_on_node_start_leaves_disks_and_registration_to_on_node_configured(role):
    made = plan("on-node-start", role)
    assert made.variables == {"storage_state": "unmanaged", "pyxis_state": "unmanaged"}
    assert "pyxis is left alone: OnNodeStart runs before disks and /opt/slurm are mounted" in made.decisions[1]
    assert plan("on-node-start", role, required=("pyxis",)).playbooks == ("site",), "it is deferred and not refused"


@case("S10")
@pytest.mark.parametrize("node_type", ["HeadNode", "ComputeFleet", "LoginNode"])
def test_parallelcluster_starts_slurm_itself(parallelcluster, node_type):
    parallelcluster.node.write("/etc/parallelcluster/cfnconfig", cfnconfig(node_type))
    configured, updated = parallelcluster("on-node-configured"), parallelcluster("on-node-updated")
    assert [run["playbook"] for run in configured.runs] == ["site", "register_first"]
    assert [run["playbook"] for run in updated.runs] == ["site"], "compute nodes do not run that hook"
    assert all(run["skip_tags"] == ("register",) for run in configured.runs + updated.runs)


@case("S15")
@pytest.mark.parametrize(
    ("mountinfo", "said"),
    [
        ("40 1 0:50 / /opt/slurm rw - nfs4 fs-1.efs.us-east-1.amazonaws.com:/ rw\n", "/opt/slurm is mounted from"),
        ("", "/opt/slurm is not mounted from the head"),
    ],
)
def test_the_shared_directory_is_looked_at(parallelcluster, mountinfo, said):
    parallelcluster.node.write("/proc/self/mountinfo", mountinfo)
    outcome = parallelcluster("on-node-configured")
    assert said in outcome.text and "only the head writes there" in outcome.text
    early = parallelcluster("on-node-start")
    assert [run["playbook"] for run in early.runs] == ["site"], "shared already or not, nothing is registered from here"
    assert early.runs[0]["variables"]["pyxis_state"] == "unmanaged"


@case("S13")
def test_slurm_is_found_where_it_lies_and_not_on_the_path(hook):
    for place in ("/opt/slurm-24.11/bin/srun", "/opt/aws/pcs/scheduler/slurm-25.05/bin/srun"):
        hook.node.write(place, "")
        assert "pyxis_state" not in hook("user-data").runs[0]["variables"], place
        hook.node.path(place).unlink()
    assert hook("user-data").runs[0]["variables"]["pyxis_state"] == "unmanaged"


def test_every_role_stands_in_its_group_and_the_controller_is_named_once():
    made = inventory.make_inventory("n1", Identity("hyperpod", "compute", (), controller="10.1.4.10"))
    children = made["slurm_cluster"]["children"]
    assert list(children["compute"]["hosts"]) == ["n1"] and list(children["controller"]["hosts"]) == ["10.1.4.10"]
    same = inventory.make_inventory("n1", Identity("hyperpod", "compute", (), controller="n1"))
    assert list(same["slurm_cluster"]["children"]["controller"]["hosts"]) == [inventory.ELSEWHERE]
    head = inventory.make_inventory("n1", Identity("hyperpod", "controller", ()))
    assert list(head["slurm_cluster"]["children"]["controller"]["hosts"]) == ["n1"]
    image = inventory.make_inventory("n1", Identity("generic", "image", ()))
    assert list(image["slurm_cluster"]["children"]["compute"]["hosts"]) == ["n1"]


def test_what_needs_a_component_goes_with_it():
    assert without("enroot", {"a": 1}, COMPONENTS) == {"a": 1, "enroot_state": "unmanaged", "pyxis_state": "unmanaged"}
    assert without("storage", {}, COMPONENTS) == {"storage_state": "unmanaged"}
    assert not may_fail("enroot", COMPONENTS, ("pyxis",)), "pyxis is required and cannot be without it"
    assert may_fail("pyxis", COMPONENTS, ("enroot",)) and not may_fail("pyxis", COMPONENTS, None)
    assert not may_fail("artifacts", COMPONENTS, ())


def test_a_required_component_that_cannot_apply_ends_the_hook():
    with pytest.raises(ComponentFailed, match="pyxis is required"):
        plan("user-data", slurm=Slurm(False), required=("pyxis",))


@case("P2")
@pytest.mark.parametrize("place", ["/opt/slurm-24.11/lib/slurm", "/opt/slurm/lib/slurm"])
def test_the_pyxis_that_the_platform_has_set_up_is_adopted(hyperpod, place):
    hyperpod.node.write(place + "/spank_pyxis.so", "")
    outcome = hyperpod("on-init-complete", "--required", "pyxis")
    assert outcome.code == 0 and [run["playbook"] for run in outcome.runs] == ["site"]
    assert outcome.runs[0]["variables"]["pyxis_state"] == "unmanaged"
    assert "the image has its own, which is adopted as it is" in outcome.text
    created = hyperpod("on-create")
    assert "pyxis_state" not in created.runs[0]["variables"], "with OnCreate the platform has set up nothing"


@case("P2")
def test_what_the_platform_has_set_in_enroot_conf_wins(hyperpod):
    role = yaml.safe_load((REPOSITORY / "roles/enroot/vars/main.yml").read_text())
    own = [*role["__enroot_path_settings"], *role["__enroot_fixed_settings"]]
    assert sorted(hyperpod("on-init-complete").runs[0]["variables"]["enroot_platform_keys"]) == sorted(own)
    assert "enroot_platform_keys" not in hyperpod("on-create").runs[0]["variables"], "there nobody else sets it up"


@case("S14")
def test_slurmd_finds_scontrol_below_the_platforms_prefix():
    tasks = yaml.safe_load((REPOSITORY / "lifecycle/playbooks/start_slurm.yml").read_text())[0]["tasks"]
    (text,) = (
        file["content"]
        for task in tasks
        for file in task.get("slipway.containers.managed_files", {}).get("files", [])
        if "content" in file
    )
    assert '"PATH=/opt/slurm/bin:' in text


def test_pyxis_is_registered_before_slurm_is_started():
    made = plan("on-create", "controller", "hyperpod")
    assert made.playbooks.index("register_first") < made.playbooks.index("start_slurm")


def test_a_controller_that_is_given_is_the_one_that_is_named(hyperpod):
    outcome = hyperpod("on-init-complete", "--controller", "head01")
    assert list(outcome.runs[0]["inventory"]["slurm_cluster"]["children"]["controller"]["hosts"]) == ["head01"]
