import pytest
from cluster.slurm import judge_probe, parse_states
from cluster.slurm_config import Size, cgroup_conf, files, gres_conf, host_list, slurm_conf


def settings(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def test_slurm_conf_names_every_node_once_with_its_size():
    text = slurm_conf("slipway", 3, Size(cpus=2, memory=4096))
    assert "NodeName=compute[1-3] CPUs=2 RealMemory=4096 Gres=gpu:8 State=UNKNOWN\n" in text
    assert "PartitionName=main Nodes=compute[1-3] Default=YES" in text
    assert "DefMemPerCPU=2048\n" in text


def test_slurm_conf_is_configless_and_confines():
    found = settings(slurm_conf("slipway", 1, Size(2, 1024)))
    assert found["SlurmctldParameters"] == "enable_configless"
    assert found["ProctrackType"] == "proctrack/cgroup"
    assert found["TaskPlugin"] == "task/affinity,task/cgroup"
    assert found["SelectType"] == "select/cons_tres"
    assert found["ReturnToService"] == "2"


def test_one_node_is_no_range():
    assert host_list(1) == "compute1"
    assert gres_conf(1) == "NodeName=compute1 Name=gpu File=/dev/nvidia[0-7]\n"
    assert gres_conf(32) == "NodeName=compute[1-32] Name=gpu File=/dev/nvidia[0-7]\n"


@pytest.mark.parametrize("flavour", ["v1", "v2"])
def test_cgroup_conf_names_the_plugin_of_the_host(flavour):
    found = settings(cgroup_conf(flavour))
    assert found["CgroupPlugin"] == f"cgroup/{flavour}"
    assert [found[f"Constrain{what}"] for what in ("Cores", "RAMSpace", "Devices")] == ["yes"] * 3


def test_files_are_those_a_configless_controller_hands_out():
    assert set(files("s", 1, Size(1, 512), "v1")) == {"slurm.conf", "gres.conf", "cgroup.conf"}


@pytest.mark.parametrize(
    ("cpus", "memory", "expected"),
    [(2, 24000, Size(2, 4096)), (64, 500000, Size(8, 4096)), (4, 4000, Size(4, 1000)), (1, 900, Size(1, 512))],
)
def test_a_node_offers_a_part_of_the_machine(cpus, memory, expected):
    assert Size.for_machine(cpus, memory) == expected


def test_states_of_nodes():
    found = parse_states("compute1 idle\ncompute2 down*\n\n")
    assert not found.settled(["compute1", "compute2"])
    assert found.settled(["compute1"])
    assert found.describe() == "1 down*, 1 idle"


def test_a_node_set_aside_on_purpose_is_settled_and_an_unknown_one_is_not():
    found = parse_states("compute1 drained\n")
    assert found.settled(["compute1"])
    assert not found.settled(["compute1", "compute2"])


def test_a_confined_job_on_every_node_is_accepted():
    assert judge_probe("compute1 0,1 0,1\ncompute2 6,7 6,7\n", ["compute1", "compute2"]) == []


def test_a_job_that_did_not_run_or_is_not_confined_is_found():
    problems = judge_probe("compute1 0,1 0,1,2,3\ncompute2 none \n", ["compute1", "compute2", "compute3"])
    assert problems == [
        "compute1: GPUs 0,1 are the job's, but GPUs 0,1,2,3 open",
        "compute2: expected 2 visible GPUs, got: none",
        "compute3 ran no task",
    ]
