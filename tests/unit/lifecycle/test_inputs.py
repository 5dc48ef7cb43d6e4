"""Cases R: what platforms hand over, and what a node is by it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from lifecycle import addresses, identity, parallelcluster
from lifecycle import hyperpod as hp
from lifecycle.fitness import parse_os_release
from lifecycle.node import Node, parse_fib_trie, parse_ip_addresses
from lifecycle.outcome import BadConfiguration
from tests.unit.lifecycle.conftest import (
    CFNCONFIG,
    RESOURCE_CONFIG,
    as_controller,
    cfnconfig,
    machine,
    provisioning_parameters,
    resource_config,
)

case = pytest.mark.case


def groups(*pairs: tuple[str, list[dict]]) -> list[dict]:
    return [{"Name": name, "Instances": instances} for name, instances in pairs]


@case("R1")
def test_no_platform_at_all(hook):
    outcome = hook("user-data")
    assert outcome.code == 0
    assert (outcome.report["platform"], outcome.report["role"]) == ("generic", "compute")
    assert hook("user-data", "--role", "login").report["role"] == "login"


@case("R2")
def test_the_file_that_the_variable_names_never_comes(hook):
    outcome = hook("on-create", environment={"SAGEMAKER_RESOURCE_CONFIG_PATH": "/opt/ml/other.json"})
    assert outcome.code == 2
    assert "/opt/ml/other.json is not there after 60 s" in outcome.last
    assert outcome.clock.time >= 60


@case("R2")
def test_the_file_comes_late(hook):
    hook.clock.later[30] = lambda: hook.node.write("/opt/ml/other.json", resource_config())
    outcome = hook("on-init-complete", environment={"SAGEMAKER_RESOURCE_CONFIG_PATH": "/opt/ml/other.json"})
    assert outcome.code == 0
    assert outcome.report["platform"] == "hyperpod"


@case("R3")
def test_an_empty_configuration_directory_is_no_success(hook):
    hook.node.path("/opt/ml/config").mkdir(parents=True)
    outcome = hook("user-data")
    assert outcome.code == 2
    assert RESOURCE_CONFIG in outcome.last and not outcome.runs


@case("R4")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"InstanceGroups": [', "not valid JSON at offset 20"),
        ("", "is empty (offset 0)"),
        ("null", "holds null at offset 0"),
        ("[]", "holds [] at offset 0"),
        ("<!DOCTYPE html><html>", "not valid JSON at offset 0"),
        ("[" * 100_000, "offset 0"),
    ],
)
def test_a_damaged_file_is_named_with_its_offset(hook, content, said):
    hook.node.write(RESOURCE_CONFIG, content)
    outcome = hook("on-create")
    assert outcome.code == 2
    assert RESOURCE_CONFIG in outcome.last and said in outcome.last
    assert "Traceback" not in outcome.text
    assert outcome.clock.time >= 60, "it may still be being written, and so is read again first"


@case("R4")
def test_a_file_that_is_being_written_is_read_again(hyperpod):
    hyperpod.node.write(RESOURCE_CONFIG, '{"InstanceGroups": [')
    hyperpod.clock.later[4] = lambda: hyperpod.node.write(RESOURCE_CONFIG, resource_config())
    assert hyperpod("on-create").code == 0


@case("R5")
def test_byte_order_mark_and_crlf_are_accepted(hyperpod):
    text = json.dumps(resource_config(), indent=1).replace("\n", "\r\n") + "\r\n"
    hyperpod.node.write(RESOURCE_CONFIG, b"\xef\xbb\xbf" + text.encode())
    assert hyperpod("on-create").code == 0


@case("R5")
def test_a_nul_byte_is_not(hyperpod):
    hyperpod.node.write(RESOURCE_CONFIG, b'{"a": 1}\0')
    outcome = hyperpod("on-create")
    assert outcome.code == 2 and "NUL byte at offset 8" in outcome.last


@case("R6")
def test_unknown_keys_and_another_order_change_nothing(hyperpod):
    config = resource_config(Surprise={"a": [1]})
    config["InstanceGroups"][2]["Instances"][0]["InstanceLabel"] = None
    hyperpod.node.write(RESOURCE_CONFIG, dict(reversed(list(config.items()))))
    outcome = hyperpod("on-create")
    assert (outcome.code, outcome.report["role"]) == (0, "compute")


@case("R7")
@pytest.mark.parametrize("empty", [{"Instances": None}, {"Instances": []}, {}])
def test_a_group_without_instances_is_passed_over(hyperpod, empty):
    config = resource_config()
    config["InstanceGroups"].insert(0, {"Name": "scaled-to-zero", **empty})
    hyperpod.node.write(RESOURCE_CONFIG, config)
    outcome = hyperpod("on-create")
    assert outcome.code == 0 and "group workers-p5 by address 10.1.66.201" in outcome.text


@case("R8")
@pytest.mark.parametrize("groups", [None, {}, "x"])
def test_instance_groups_are_missing(hyperpod, groups):
    hyperpod.node.write(RESOURCE_CONFIG, {"InstanceGroups": groups} if groups is not None else {})
    outcome = hyperpod("on-create")
    assert outcome.code == 2 and "InstanceGroups must be a list" in outcome.last


@case("R9")
def test_an_address_in_no_group_is_looked_for_again_then_the_instance_id_decides(hyperpod):
    hyperpod.node.addresses = [("ens5", "10.9.9.9")]
    hyperpod.node.identifier = "i-0bbb"
    outcome = hyperpod("on-init-complete")
    assert (outcome.code, outcome.report["role"]) == (0, "login")
    assert outcome.clock.time >= 60 and "instance id i-0bbb" in outcome.text


@case("R9")
def test_a_node_in_no_group_is_compute_with_a_warning_or_refused_in_strict_mode(hyperpod):
    hyperpod.node.addresses = [("ens5", "10.9.9.9")]
    outcome = hyperpod("on-init-complete")
    assert (outcome.code, outcome.report["role"]) == (0, "compute")
    assert any("taken as compute" in warning for warning in outcome.report["warnings"])
    strict = hyperpod("on-init-complete", "--strict")
    assert strict.code == 2 and "give --role" in strict.last
    assert hyperpod("on-init-complete", "--strict", "--role", "login").report["role"] == "login"


@case("R10")
def test_an_address_in_two_groups_is_decided_by_the_instance_id(hyperpod):
    config = resource_config()
    config["InstanceGroups"][1]["Instances"].append(machine("login-group-2", "10.1.66.201", "i-0fff"))
    hyperpod.node.write(RESOURCE_CONFIG, config)
    hyperpod.node.identifier = "i-0fff"
    assert hyperpod("on-init-complete").report["role"] == "login"
    hyperpod.node.identifier = ""
    outcome = hyperpod("on-init-complete")
    assert outcome.code == 2
    assert "login-group-2 in login-group" in outcome.last and "workers-p5-1 in workers-p5" in outcome.last


@case("R11")
def test_all_addresses_are_compared_and_those_of_bridges_and_agents_are_not():
    config = hp.parse_resource_config(
        {"InstanceGroups": groups(("a", [machine("a", "172.17.0.1", "1")]), ("b", [machine("b", "10.2.0.9", "2")]))}
    )
    own = addresses.own([("lo", "127.0.0.1"), ("docker0", "172.17.0.1"), ("ens5", "172.16.1.1"), ("efa31", "10.2.0.9")])
    found, _how = hp.find_self(config, own)
    assert found is not None and found.group == "b", "neither docker0's address nor AgentIpAddress"


@case("R12")
@pytest.mark.parametrize("written", ["2001:DB8:0:0::1", "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001"])
def test_addresses_of_version_6_are_compared_as_addresses(hyperpod, written):
    config = resource_config()
    config["InstanceGroups"][1]["Instances"][0]["CustomerIpAddress"] = written
    hyperpod.node.write(RESOURCE_CONFIG, config)
    hyperpod.node.addresses = [("lo", "::1"), ("ens5", "fe80::1"), ("ens5", "2001:db8::1")]
    assert hyperpod("on-init-complete").report["role"] == "login"


@case("R13")
def test_a_node_without_a_route_never_takes_the_loopback_for_itself(hyperpod):
    config = resource_config()
    config["InstanceGroups"][0]["Instances"][0]["CustomerIpAddress"] = "127.0.0.1"
    hyperpod.node.write(RESOURCE_CONFIG, config)
    hyperpod.node.addresses = [("lo", "127.0.0.1")]
    outcome = hyperpod("on-init-complete", "--strict")
    assert outcome.code == 2 and "nothing tells the role" in outcome.last


@case("R13")
def test_addresses_are_listed_without_asking_any_other_host():
    recorded = (
        '[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1"}]},'
        '{"ifname":"ens5","addr_info":[{"family":"inet","local":"10.1.66.201","secondary":true},{"family":"inet6",'
        '"local":"fe80::1"}]},{"ifname":"efa0"}]'
    )
    assert parse_ip_addresses(recorded) == [("lo", "127.0.0.1"), ("ens5", "10.1.66.201"), ("ens5", "fe80::1")]
    trie = (
        "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.1.66.201\n        /32 host LOCAL\n"
        "     |-- 10.1.66.255\n        /32 link BROADCAST\n"
    )
    assert parse_fib_trie(trie) == [("", "10.1.66.201")]
    assert ("lo", "127.0.0.1") in Node().interfaces()


@case("R14")
def test_an_address_that_begins_like_another_is_another(hyperpod):
    config = resource_config()
    config["InstanceGroups"][0]["Instances"][0]["CustomerIpAddress"] = "10.1.1.10"
    config["InstanceGroups"][2]["Instances"][0]["CustomerIpAddress"] = "10.1.1.1"
    hyperpod.node.write(RESOURCE_CONFIG, config)
    hyperpod.node.addresses = [("ens5", "10.1.1.1")]
    hyperpod.node.listening.add(("10.1.1.10", 6817))
    assert hyperpod("on-create").report["role"] == "compute"


@case("R15")
def test_without_provisioning_parameters_the_controller_is_known_by_its_address(hyperpod):
    (hyperpod.site / "provisioning_parameters.json").unlink()
    slurm = {"PrimaryControllerIp": "10.1.4.10", "SecondaryControllerIps": []}
    hyperpod.node.write(RESOURCE_CONFIG, resource_config(ClusterType="Slurm", SlurmConfig=slurm))
    assert (hyperpod("on-init-complete").report["role"]) == "compute"
    outcome = as_controller(hyperpod)("on-init-complete")
    assert (outcome.code, outcome.report["role"]) == (0, "controller")
    assert "SlurmConfig has the address 10.1.4.10" in outcome.text


@case("R16")
def test_without_either_the_list_of_evidence_decides_and_the_report_says_by_what(hyperpod):
    (hyperpod.site / "provisioning_parameters.json").unlink()
    hyperpod.node.addresses = [("ens5", "10.1.7.31")]
    outcome = hyperpod("on-init-complete")
    assert outcome.report["role"] == "login"
    assert "role login: the name of the group 'login-group'" in outcome.report["evidence"]
    hyperpod.node.write("/opt/ml/config/cluster_agent.json", "{}")
    assert hyperpod("on-init-complete").report["role"] == "controller"
    hyperpod.node.write("/opt/ml/config/nodeinfo.json", {"node_type": "worker"})
    assert hyperpod("on-init-complete").report["role"] == "compute"
    assert hyperpod("on-init-complete", "--role", "login").report["evidence"][-1] == "role login: given"


@case("R17")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not valid JSON"),
        ('{"worker_groups": {}}', "worker_groups must be a list"),
        ('{"worker_groups": [{}]}', "worker_groups[0] lacks instance_group_name"),
        ('{"controller_group": 1}', "controller_group must be text, found 1"),
    ],
)
def test_malformed_provisioning_parameters_are_refused(hyperpod, content, said):
    (hyperpod.site / "provisioning_parameters.json").write_text(content)
    outcome = hyperpod("on-create")
    assert outcome.code == 2 and said in outcome.last and "provisioning_parameters.json" in outcome.last


@case("R18")
@pytest.mark.parametrize("manager", ["pbs", None, ""])
def test_another_workload_manager_leaves_slurm_alone_and_installs_containers(hyperpod, manager):
    (hyperpod.site / "provisioning_parameters.json").write_text(
        json.dumps(provisioning_parameters(workload_manager=manager))
    )
    outcome = hyperpod("on-create")
    assert outcome.code == 0
    assert [run["playbook"] for run in outcome.runs] == ["site"], "nothing of Slurm is started"
    assert outcome.runs[0]["variables"]["pyxis_state"] == "unmanaged"
    assert "enroot_state" not in outcome.runs[0]["variables"]
    assert any("workload_manager" in warning for warning in outcome.report["warnings"])


@case("R19")
@pytest.mark.parametrize("login", [None, ""])
def test_an_empty_login_group_is_nobody(hyperpod, login):
    (hyperpod.site / "provisioning_parameters.json").write_text(json.dumps(provisioning_parameters(login_group=login)))
    config = resource_config()
    config["InstanceGroups"][2]["Name"] = ""
    hyperpod.node.write(RESOURCE_CONFIG, config)
    assert hyperpod("on-create").report["role"] == "compute"


@case("R20")
def test_a_group_that_no_list_names_is_compute_with_a_warning(hyperpod):
    (hyperpod.site / "provisioning_parameters.json").write_text(json.dumps(provisioning_parameters(worker_groups=[])))
    outcome = hyperpod("on-create")
    assert (outcome.code, outcome.report["role"]) == (0, "compute")
    assert any("'workers-p5' is neither" in warning for warning in outcome.report["warnings"])
    strict = hyperpod("on-create", "--strict")
    assert strict.code == 2 and "'workers-p5'" in strict.last


@case("R21")
def test_group_names_match_whole(hook):
    parameters = hp.parse_provisioning_parameters(
        {"controller_group": "gpu-1", "login_group": "gpu", "worker_groups": [{"instance_group_name": "gpu-12"}]}, "x"
    )
    names = ("gpu", "gpu-1", "gpu-12", "gpu-123")
    assert [parameters.role_of(name) for name in names] == ["login", "controller", "compute", ""]


@case("R22")
def test_of_two_controllers_one_writes_what_both_share(hyperpod):
    config = resource_config()
    config["InstanceGroups"][0]["Instances"].append(machine("controller-machine-2", "10.1.4.11", "i-0aab"))
    hyperpod.node.write(RESOURCE_CONFIG, config)
    first = as_controller(hyperpod)("on-create")
    hyperpod.node.addresses = [("ens5", "10.1.4.11")]
    second = hyperpod("on-create")
    assert first.report["role"] == second.report["role"] == "controller"
    hosts = [
        list(run["inventory"]["slurm_cluster"]["children"]["controller"]["hosts"]) for run in (first.runs + second.runs)
    ]
    assert hosts[0] == ["ip-10-1-66-201"], "the first registers, since it is the first of the group"
    assert hosts[-1] == ["10.1.4.10", "ip-10-1-66-201"], "the other one is not the first, and so does not"
    assert any("10.1.4.10 is the primary controller" in line for line in second.lines)


@case("R23")
def test_no_groups_name_tells_what_a_node_can(hyperpod):
    handed = []
    for name in ("p5-gpus", "trn-workers", "c5-cpu"):
        config = resource_config()
        config["InstanceGroups"][2]["Name"] = name
        hyperpod.node.write(RESOURCE_CONFIG, config)
        workers = [{"instance_group_name": name}]
        (hyperpod.site / "provisioning_parameters.json").write_text(
            json.dumps(provisioning_parameters(worker_groups=workers))
        )
        outcome = hyperpod("on-create")
        assert outcome.report["role"] == "compute" and "group %s by address" % name in outcome.text
        handed.append([(run["inventory"], run["variables"]) for run in outcome.runs])
    assert handed[0] == handed[1] == handed[2], "the playbooks look at the hardware"


@case("R24")
@pytest.mark.parametrize("sign", [{"ClusterType": "Kubernetes"}, {"KubernetesConfig": {"EksClusterName": "x"}}])
def test_a_cluster_of_kubernetes_is_left_alone(hyperpod, sign):
    hyperpod.node.write(RESOURCE_CONFIG, resource_config(**sign))
    outcome = hyperpod("on-create")
    assert outcome.code == 0 and not outcome.runs
    assert "Kubernetes (EKS): Slurm, pyxis, enroot and containerd are left alone" in outcome.last


@case("R25")
def test_without_slurm_pyxis_is_left_alone_unless_it_is_required(hook):
    outcome = hook("user-data")
    assert outcome.code == 0
    assert outcome.runs[0]["variables"]["pyxis_state"] == "unmanaged"
    assert "pyxis is left alone: no Slurm is installed here" in outcome.text
    required = hook("user-data", "--required", "pyxis")
    assert required.code == 1 and "pyxis is required" in required.last and not required.runs


@case("R26")
def test_a_controller_that_is_gone_holds_up_nothing_but_the_wait_for_it(hyperpod):
    hyperpod.node.listening.clear()
    outcome = hyperpod("on-create")
    assert outcome.code == 0 and [run["playbook"] for run in outcome.runs] == ["site", "register_first", "start_slurm"]
    assert any("slurmctld does not answer on 10.1.4.10" in warning for warning in outcome.report["warnings"])
    assert outcome.clock.time <= 200


@case("R27")
def test_an_ordinary_user_is_told_what_to_type(hyperpod):
    hyperpod.node.uid = 1000
    outcome = hyperpod("on-create")
    assert outcome.code == 4 and "sudo sh start.sh on-create" in outcome.last


@case("R27")
def test_a_file_that_only_root_can_read_is_named(hyperpod, monkeypatch):
    def refuse(_self, absolute):
        raise PermissionError(13, "Permission denied", absolute)

    monkeypatch.setattr(Node, "read", refuse)
    monkeypatch.setattr(Node, "text", lambda _self, _absolute: "ID=debian\nVERSION_ID=12\n")
    outcome = hyperpod("on-create")
    assert outcome.code == 4 and "%s is readable for root only" % RESOURCE_CONFIG in outcome.last


@case("R28")
def test_cfnconfig_is_read_as_data(tmp_path):
    text = cfnconfig().replace("\n", "\r\n") + "evil=$(touch %s)\r\n" % (tmp_path / "touched")
    values = parallelcluster.parse_cfnconfig(text)
    assert values["cfn_node_type"] == "ComputeFleet" and values["cfn_cluster_user"] == "ubuntu"
    assert values["cfn_postinstall"] == "/opt/parallelcluster/scripts/fetch_and_run -postinstall -c /x/y=z"
    assert values["cfn_postinstall_args"] == "(--profile 'gpu node' a=b)"
    assert values["cfn_proxy"] == ""
    assert values["evil"].startswith("$(touch") and not (tmp_path / "touched").exists()


@case("R29")
def test_without_a_node_type_dna_json_is_asked_then_the_argument(hook):
    hook.node.write(CFNCONFIG, "stack_name=ml\n")
    outcome = hook("on-node-configured")
    assert outcome.code == 2 and "give --role" in outcome.last and CFNCONFIG in outcome.last
    assert hook("on-node-configured", "--role", "login").report["role"] == "login"
    hook.node.write("/etc/chef/dna.json", {"cluster": {"node_type": "HeadNode"}})
    assert hook("on-node-configured").report["role"] == "controller"
    hook.node.path(CFNCONFIG).unlink()
    assert hook("user-data").report["platform"] == "parallelcluster"
    hook.node.write(CFNCONFIG, "cfn_node_type=Toaster\n")
    unknown = hook("on-node-configured")
    assert unknown.code == 2 and "'Toaster'" in unknown.last


@case("R30")
def test_a_login_node_gets_the_client_and_no_daemon(parallelcluster):
    parallelcluster.node.write(CFNCONFIG, cfnconfig("LoginNode"))
    outcome = parallelcluster("on-node-configured")
    assert outcome.report["role"] == "login"
    assert [run["playbook"] for run in outcome.runs] == ["site", "register_first"]
    assert list(outcome.runs[0]["inventory"]["slurm_cluster"]["children"]["login"]["hosts"]) == ["ip-10-1-66-201"]
    assert outcome.runs[0]["limit"] == "ip-10-1-66-201"


@case("R31")
def test_releases_are_compared_as_numbers_and_only_hints(parallelcluster):
    text = "aws-parallelcluster-cookbook-%s"
    releases = [parallelcluster_version(text % item) for item in ("3.9.3", "3.11.0", "3.11.1", "3.15.1")]
    assert releases == sorted(releases) and parallelcluster_version("garbage") == ()
    parallelcluster.node.write("/opt/parallelcluster/.bootstrapped", text % "3.11.1")
    outcome = parallelcluster("on-node-configured")
    assert "ParallelCluster 3.11.1" in outcome.report["evidence"]
    assert "the image's own examples of enroot and pyxis are not there" in outcome.report["evidence"]


def parallelcluster_version(text: str) -> tuple[int, ...]:
    return parallelcluster.cookbook_version(text)


@case("R32")
def test_files_of_both_platforms_need_a_decision(hyperpod):
    hyperpod.node.write(CFNCONFIG, cfnconfig())
    outcome = hyperpod("user-data")
    assert outcome.code == 2 and "copied image" in outcome.last and "--platform" in outcome.last
    assert hyperpod("user-data", "--platform", "hyperpod").report["platform"] == "hyperpod"
    assert hyperpod("on-node-configured").report["platform"] == "parallelcluster", "the hook's name tells it"


@case("R33")
def test_an_image_is_installed_and_starts_nothing(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    outcome = hook("image")
    assert (outcome.code, outcome.report["role"]) == (0, "image")
    assert [(run["playbook"], run["skip_tags"]) for run in outcome.runs] == [("site", ("register",))]
    started = {name: value for name, value in outcome.runs[0]["variables"].items() if name.endswith("_started")}
    assert started == {"docker_started": False, "nvidia_container_toolkit_started": False}
    sealed = hook("image", "--seal")
    assert [run["playbook"] for run in sealed.runs] == ["site", "seal_image"]


@case("R33")
def test_the_play_that_registers_can_be_skipped():
    path = hooks_root() / "playbooks/site.yml"
    assert "tags: [pyxis, register]" in path.read_text()


def hooks_root():
    from lifecycle.layout import REPOSITORY

    return REPOSITORY


@case("R34")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("user-data", "", " "), 0, "done"),
        (("user-data", "--unknown"), 2, "unrecognized arguments: --unknown"),
        (("user-data", "ünï cödé"), 2, "unrecognized arguments"),
        (("user-data", "--role", "king"), 2, "invalid choice: 'king'"),
        (("user-data", "--budget-seconds", "soon"), 2, "invalid float value"),
        (("bogus",), 2, "invalid choice: 'bogus'"),
        ((), 2, "required: hook"),
        (("user-data", "--rol", "login"), 2, "unrecognized arguments"),
    ],
)
def test_arguments(hook, arguments, code, said):
    outcome = hook(*arguments)
    assert outcome.code == code and said in outcome.last


@case("R34")
def test_help_is_printed(hook, capsys):
    with pytest.raises(SystemExit) as ended:
        hook("--help")
    assert ended.value.code == 0 and "which hook" in capsys.readouterr().out


def test_settings_come_from_file_environment_and_arguments_in_this_order(hook):
    (hook.site / "lifecycle.yml").write_text("role: login\nbudget_seconds: 100\nextra: {enroot_state: absent}\n")
    assert hook("user-data").report["role"] == "login"
    outcome = hook("user-data", environment={"SLIPWAY_ROLE": "controller"})
    assert outcome.report["role"] == "controller" and outcome.runs[0]["variables"]["enroot_state"] == "absent"
    assert hook("user-data", "--role", "compute", environment={"SLIPWAY_ROLE": "login"}).report["role"] == "compute"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "must be a mapping"),
        ("budget: 3\n", "unknown setting 'budget'"),
        ("budget_seconds: soon\nrole: king\n", "budget_seconds must be a number of at least 0, found 'soon'; "),
        ("required: pyxis\n", "required must be a list of component names, found 'pyxis'"),
        ("strict: 'yes'\n", "strict must be true or false"),
        ("extra: 1\n", "extra must be a mapping"),
        ("a: [\n", "cannot be read"),
    ],
)
def test_bad_settings_are_named_all_together(hook, text, said):
    (hook.site / "lifecycle.yml").write_text(text)
    outcome = hook("user-data")
    assert outcome.code == 2 and said in outcome.last and "lifecycle.yml" in outcome.last


def test_an_environment_variable_that_is_no_number_is_named(hook):
    outcome = hook("user-data", environment={"SLIPWAY_BUDGET_SECONDS": "soon"})
    assert outcome.code == 2 and "SLIPWAY_BUDGET_SECONDS is 'soon'" in outcome.last


def test_os_release_is_read_with_and_without_quotes():
    assert parse_os_release('ID="rocky"\nVERSION_ID=9.4\n# x\n') == {"ID": "rocky", "VERSION_ID": "9.4"}


def test_a_given_platform_must_be_known():
    with pytest.raises(BadConfiguration, match="'azure' is not known"):
        identity.find_platform(identity.Signs(override="azure"))


@case("R37")
def test_the_report_names_the_bundle(hook, tmp_path):
    code = tmp_path / "bundle"
    (code / "collections/ansible_collections/slipway").mkdir(parents=True)
    os.symlink(hooks_root(), code / "collections/ansible_collections/slipway/containers")
    (code / "unpacked.json").write_text(json.dumps({"digest": "ab" * 32, "built": 0, "version": "0.1.0"}))
    outcome = hook("user-data", environment={"SLIPWAY_BUNDLE_DIRECTORY": str(code)})
    assert outcome.code == 0 and outcome.report["bundle"] == "ab" * 32
    assert "bundle %s" % ("ab" * 8) in outcome.text


def test_what_is_no_bundle_is_said(hook, tmp_path):
    outcome = hook("user-data", environment={"SLIPWAY_BUNDLE_DIRECTORY": str(tmp_path)})
    assert outcome.code == 2 and "is no unpacked bundle" in outcome.last


def test_the_recorded_shape_is_what_iproute2_prints():
    text = subprocess.run(["ip", "-json", "address"], capture_output=True, text=True, check=True).stdout
    assert ("lo", "127.0.0.1") in parse_ip_addresses(text)
