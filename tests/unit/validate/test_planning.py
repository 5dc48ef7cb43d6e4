"""Settings, roster, kinds, plan and how a submit host is reached: values in, values out, all problems together."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.unit.validate.conftest import node
from validate import catalogue, plan, session, settings, slurm, suite, survey
from validate.errors import CannotStart

RECORDED = Path(__file__).parents[2] / "fixtures" / "recorded" / "slurm-24.11.5"
IMAGE = settings.Settings(image="/images/probe.sqsh")
# Recorded from scontrol 24.11.5 on the sandbox; cut to the fields that are read.
DRAINED = (
    "NodeName=compute1 Arch=x86_64 CPUAlloc=0 Gres=gpu:8 NodeAddr=compute1 NodeHostName=compute1 Version=24.11.5 "
    "State=IDLE+DRAIN ThreadsPerCore=1 Partitions=main  Reason=disk is being changed [root@2026-11-22T19:15:41]"
)

# In the form of scontrol 24.11 with topology/tree and topology/block.
TREE = """
SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n[08-10]
SwitchName=leaf2 Level=0 LinkSpeed=1 Nodes=n11,gpu[1,3]
SwitchName=spine Level=1 LinkSpeed=1 Nodes=gpu[1,3],n[08-11] Switches=leaf[1-2]
"""
BLOCKS = """
BlockName=b1 BlockIndex=0 Nodes=r1n[1-2] BlockSize=2
BlockName=b2 BlockIndex=1 Nodes=r2n[1-2] BlockSize=2
AggregatedBlock=b[1-2] BlockIndex=2 Nodes=r[1-2]n[1-2] BlockSize=4
"""


# Settings


def test_the_program_of_the_running_python_reads_the_inventory(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("hosts.yml", "a", "b"):
        (tmp_path / name).touch()
    monkeypatch.setattr(settings.sys, "executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match=r"ansible-inventory is neither beside .*/bin/python nor on PATH; run `make"):
        settings.read_inventory("hosts.yml")
    program = tmp_path / "bin/ansible-inventory"
    program.write_text('#!/bin/sh\necho \'{"compute": {"hosts": ["n1"]}, "login": {"hosts": ["l1"]}}\'\n')
    program.chmod(0o755)
    assert settings.read_inventory("hosts.yml").compute == ("n1",)
    program.write_text(
        '#!/bin/sh\necho "{\\"compute\\": {\\"hosts\\": [\\"$*\\"]}, \\"login\\": {\\"hosts\\": [\\"l1\\"]}}"\n'
    )
    assert settings.read_inventory("a", "b").compute == ("--inventory=a --inventory=b --list",)


def test_every_wrong_setting_is_named():
    with pytest.raises(CannotStart) as caught:
        settings.make({"imgae": "x", "chunk_size": 100, "tier": "fast", "runtimes": 5, "image": "{{ x }}"})
    text = str(caught.value)
    assert all(
        word in text for word in ("validate_imgae", "100 is more than 64", "'fast'", "a list of texts", "template")
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"runtimes": ["enroot", "pyxsi"]}, "validate_runtimes: pyxsi; there are enroot, pyxis, docker, apptainer, nv"),
        ({"allow": "rot"}, "validate_allow: rot; there are root, operator, network"),
        ({"site_mounts": ["/home", "{{ scratch }}"]}, "validate_site_mounts.*is a template"),
        ({"profiles": {"cpu": {"expect": {"space_gib": "{{ floor }}"}}}}, "validate_profiles.*is a template"),
    ],
)
def test_a_word_that_is_typed_wrong_skips_no_check(values, said):
    with pytest.raises(CannotStart, match=said):
        settings.make(values)


@pytest.mark.parametrize(
    ("state", "said"), [("{{ 'present' }}", "is a template"), ("presnt", "none of present, absent, unmanaged")]
)
def test_a_state_that_says_nothing_is_not_taken_for_not_installed(state, said):
    names = [f"n{number}" for number in range(5)]
    listing = {
        "compute": {"hosts": names}, "login": {"hosts": ["l1"]},
        "_meta": {"hostvars": {name: {"pyxis_state": state} for name in names}},
    }  # fmt: skip
    site = settings.site_of(listing, "x")
    with pytest.raises(CannotStart, match=f"pyxis_state of n0, n1, n2 and 2 more: .*{said}"):
        settings.of_site(site, {})
    assert settings.of_site(site, {"runtimes": ["enroot"]})[1].runtimes == ("enroot",)


def test_ssh_gets_no_template_as_text():
    hosts = {"l1": {"ansible_user": "{{ admin }}"}, "n1": {"ansible_host": "{{ inventory_hostname }}.lab"}}
    site = settings.Site(("n1",), ("l1",), {}, hosts)
    with pytest.raises(CannotStart, match=r"ansible_user of l1: .* is a template"):
        settings.require_reachable(site, ["l1"])
    with pytest.raises(CannotStart, match=r"ansible_host of n1: .* is a template"):
        settings.require_reachable(site, ["n1"])
    settings.require_reachable(site, ["other"])
    settings.require_reachable(None, [])


def test_the_variables_of_the_playbook_are_no_settings():
    listing = {
        "compute": {"hosts": ["n1"]}, "login": {"hosts": ["l1"]},
        "_meta": {"hostvars": {"l1": {"validate_output": "/var/x", "validate_drain": True, "validate_tier": "deep"}}},
    }  # fmt: skip
    assert settings.site_of(listing, "x").values == {"tier": "deep"}


def test_an_inventory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(CannotStart, match=f"no such inventory: {tmp_path}/hots.yml"):
        settings.read_inventory(f"{tmp_path}/hots.yml", "n1,n2")


def test_a_list_may_be_written_with_commas():
    assert settings.make({"runtimes": "enroot, pyxis,docker"}).runtimes == ("enroot", "pyxis", "docker")


@pytest.mark.parametrize("value", ["0", "-1", "x", "1e3", True, None, 10**7])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(CannotStart, match="a number above 0"):
        settings.make({"immediate": value})


def test_an_inventory_without_nodes_is_refused():
    with pytest.raises(CannotStart, match="no host in the group compute"):
        settings.site_of({"compute": {"hosts": []}}, "x")
    with pytest.raises(CannotStart, match="to submit from"):
        settings.site_of({"compute": {"hosts": ["n1"]}}, "x")


def test_what_is_installed_follows_the_states_of_each_host_and_an_explicit_list_wins():
    listing = {
        "compute": {"hosts": ["n1", "n2.example.org"]}, "login": {"hosts": ["l1"]},
        "_meta": {"hostvars": {"n1": {"docker_state": "unmanaged"}, "n2.example.org": {"apptainer_state": "absent"}}},
    }  # fmt: skip
    site, found = settings.of_site(settings.site_of(listing, "x"), {})
    assert found.runtimes == ("enroot", "pyxis", "docker", "apptainer")
    roster = survey.with_runtimes([node("l1"), node("n1"), node("n2"), node("n3")], site.runtimes)
    assert [entry.get("runtimes") for entry in roster] == [
        list(settings.RUNTIMES), ["enroot", "pyxis", "apptainer"], ["enroot", "pyxis", "docker"], None,
    ]  # fmt: skip
    site, found = settings.of_site(settings.site_of(listing, "x"), {"runtimes": "enroot"})
    assert (dict(site.runtimes), found.runtimes) == ({}, ("enroot",))
    assert settings.of_site(None, {})[1].runtimes == ("enroot", "pyxis")


def test_a_group_includes_its_childrens_hosts_once():
    listing = {"compute": {"children": ["a", "b"]}, "a": {"hosts": ["n1", "n2"]}, "b": {"hosts": ["n2", "n3"]}}
    assert settings.members(listing, "compute") == ["n1", "n2", "n3"]


# Roster


def test_a_recorded_roster_is_read():
    nodes = survey.roster((RECORDED / "show-nodes.txt").read_text())
    assert nodes and all(entry["name"] and entry["state"] for entry in nodes)


def test_a_drained_node_has_reason_user_and_time():
    entry = survey.roster(DRAINED)[0]
    assert (entry["unusable"], entry["reason"], entry["reason_by"]) == ("drained", "disk is being changed", "root")
    assert entry["reason_at"] == "2026-11-22T19:15:41" and entry["gpus"] == 8


@pytest.mark.parametrize("state", ["FAIL", "FAILING*", "IDLE+FAIL", "MIXED+CLOUD+FAIL", "ALLOCATED+FAIL*"])
def test_a_node_that_an_admin_set_to_fail_takes_no_job_and_says_why(state):
    """Words of libslurm 22.05 and 24.11; with which base state scontrol joins FAIL was not recorded."""
    entry = survey.roster(DRAINED.replace("IDLE+DRAIN", state))[0]
    assert (entry["unusable"], entry["reason"]) == ("failing", "disk is being changed")


@pytest.mark.parametrize(
    ("gres", "count"), [("gpu:8", 8), ("gpu:h100:4,gpu:a100:2", 6), ("gpu:8(S:0-1)", 8), ("(null)", 0), ("shard:16", 0)]
)
def test_gpus_are_counted_over_their_types(gres, count):
    assert survey.roster(DRAINED.replace("gpu:8", gres))[0]["gpus"] == count


def test_every_node_of_the_inventory_is_expected_whether_slurm_knows_it_or_not():
    found = survey.roster(DRAINED + "\n" + DRAINED.replace("compute1", "compute2"))
    nodes, more = survey.expected(found, ["compute1.example.org", "gone"])
    assert [(entry["name"], entry["unusable"]) for entry in nodes] == [
        ("compute1", "drained"),
        ("gone", "unknown to Slurm"),
    ]
    assert more == ["compute2"]


def test_a_node_that_does_not_exist_cannot_be_asked_for():
    with pytest.raises(CannotStart, match="no such node: n9; there are n1, n2"):
        survey.limited([node("n1"), node("n2")], ["n9"])


def test_a_node_may_be_asked_for_by_the_name_of_slurm_or_of_the_inventory():
    nodes = [node("n1", hostname="host1"), node("n2")]
    for name in ("n1", "host1", "n1.example.org", "host1.example.org"):
        assert [found["name"] for found in survey.limited(nodes, [name])] == ["n1"]


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        (TREE, {**dict.fromkeys(("n08", "n09", "n10"), "leaf1"), **dict.fromkeys(("n11", "gpu1", "gpu3"), "leaf2")}),
        (BLOCKS, {"r1n1": "b1", "r1n2": "b1", "r2n1": "b2", "r2n2": "b2"}),
        ("No topology information available\n", {}),
        ("", {}),
    ],
)
def test_leaf_switches_and_blocks_are_read_and_a_cluster_may_have_none(text, leaves):
    assert survey.leaves(text) == leaves


def test_lists_of_several_ranges_are_expanded():
    assert survey.expand("r[1-2]n[09-10],x") == ["r1n09", "r1n10", "r2n09", "r2n10", "x"]


def test_nodes_are_alike_by_what_slurm_says_of_their_hardware():
    """A feature of one node alone, its name or its instance's id, makes no kind of its own."""
    lines = [
        DRAINED.replace("compute1", name).replace("Gres=gpu:8", f"ActiveFeatures={features} Gres={gres}")
        for name, features, gres in (
            ("a1", "i-1,rack1", "gpu:h100:8(S:0,1)"), ("a2", "i-2,rack1", "gpu:h100:8(S:0-1)"),
            ("b1", "i-3", "gpu:a100:8(S:0-1)"), ("c1", "cpu", "(null)"), ("c2", "cpu", "(null)"),
            ("t1", "trn", "(null)"), ("t2", "trn", "(null)"),
        )
    ]  # fmt: skip
    kinds_of = [entry["alike"] for entry in survey.roster("\n".join(lines))]
    assert kinds_of == [
        *["gpu:h100:8 x86_64 rack1"] * 2, "gpu:a100:8 x86_64", *["x86_64 cpu"] * 2, *["x86_64 trn"] * 2,
    ]  # fmt: skip


# Afterwards


def test_nodes_are_looked_at_once_the_runs_jobs_have_ended_and_others_jobs_do_not_count(monkeypatch):
    completing = DRAINED.replace("compute1", "compute2").replace("IDLE+DRAIN", "IDLE+COMPLETING")
    answers = [("7\n", DRAINED), ("7\n", DRAINED), ("", f"{DRAINED}\n{completing}")]

    def converse(_host, order):
        own, nodes = answers.pop(0)
        assert order["commands"]["own"]["words"][2] == "--name=validate-abcd"
        said = {"own": own, "nodes": nodes}
        return [{"event": "answer", "name": name, "code": 0, "stdout": said[name]} for name in order["commands"]]

    monkeypatch.setattr(session, "converse", converse)
    monkeypatch.setattr(suite.time, "sleep", lambda _seconds: None)
    here = session.Submit("here")
    found = made([node("compute1"), node("compute2")])
    prepared = suite.Prepared(IMAGE, suite.Target((here,), None, here), {}, [], {}, found)
    assert suite.afterwards(prepared, "abcd") == ({"compute1": "drained: disk is being changed"}, "")
    assert answers == []


def test_an_epilog_that_does_not_end_is_said_of_its_nodes():
    completing = DRAINED.replace("IDLE+DRAIN", "IDLE+COMPLETING")
    assert survey.lost(completing, ["compute1"], "still completing") == {"compute1": "still completing"}
    assert survey.lost(completing, ["compute1"], "") == survey.lost(DRAINED, ["compute2"], "x") == {}


# Plan


def made(nodes, chosen=IMAGE):
    return plan.make(nodes, catalogue.chosen(chosen.tier), chosen)


def test_nodes_are_chunked_by_their_gpus_and_busy_ones_are_alone():
    nodes = [node(f"n{i}") for i in range(100)] + [
        node("c1", gpus=0),
        node("b1", state="mixed"),
        node("b2", state="allocated"),
    ]
    chunks = made(nodes).chunks
    assert [len(chunk["nodes"]) for chunk in chunks] == [48, 48, 4, 1, 1, 1]
    assert "--gres=gpu:8" in chunks[0]["options"] and not any("gres" in option for option in chunks[3]["options"])


def test_nodes_of_other_hardware_have_chunks_and_samples_of_their_own():
    nodes = [
        node(
            f"n{number}", hardware="gpu:h100:8" if number % 2 else "gpu:a100:8", alike="h100" if number % 2 else "a100"
        )
        for number in range(4)
    ]
    found = made(nodes)
    assert [chunk["nodes"] for chunk in found.chunks] == [["n0", "n2"], ["n1", "n3"]]
    assert re.findall(r"--nodelist=(\S+) .*# sample: ", plan.dry_run(found, IMAGE)) == ["n0", "n1"]


def test_chunks_hold_whole_leaf_switches_where_they_fit():
    small = [node(f"n{number}", leaf=f"leaf{number % 4}") for number in range(4 * 18)]
    chunks = [chunk["nodes"] for chunk in made(small).chunks]
    assert [len(names) for names in chunks] == [36, 36]
    assert [{int(name[1:]) % 4 for name in names} for names in chunks] == [{0, 1}, {2, 3}]
    large = [node(f"n{number}", leaf="a" if number < 60 else "b") for number in range(70)]
    chunks = [chunk["nodes"] for chunk in made([*large, node("m1"), node("m2")]).chunks]
    assert [len(names) for names in chunks] == [48, 24] and chunks[1][12:] == [f"n{n}" for n in range(60, 70)] + [
        "m1",
        "m2",
    ]
    assert made(large).chunks[1]["leaves"]["n69"] == "b"


def test_a_node_is_asked_for_in_a_partition_that_it_is_in():
    nodes = [node("n1", partitions=["gpu", "all"]), node("n2", partitions=["cpu"]), node("n3", partitions=["gpu"])]
    chosen = {tuple(chunk["nodes"]): chunk["options"][-1] for chunk in made(nodes).chunks}
    assert chosen == {("n1", "n3"): "--partition=gpu", ("n2",): "--partition=cpu"}
    wanted = settings.Settings(image="/x.sqsh", partition="all")
    assert {chunk["options"][-1] for chunk in made(nodes, wanted).chunks} == {"--partition=all"}


PARTITIONS = (
    "PartitionName=admin AllowGroups=root Default=NO State=UP\n"
    "PartitionName=gpu AllowGroups=ALL Default=YES State=UP\n"
)


def test_the_default_partition_is_preferred_where_a_node_is_in_it():
    default = slurm.partition(PARTITIONS)["PartitionName"]
    assert default == "gpu"
    both = DRAINED.replace("Partitions=main", "Partitions=admin,gpu")
    other = DRAINED.replace("compute1", "compute2").replace("Partitions=main", "Partitions=admin,other")
    found = survey.roster(f"{both}\n{other}", default)
    assert [entry["partitions"] for entry in found] == [["gpu", "admin"], ["admin", "other"]]
    chunks = made([{**entry, "unusable": ""} for entry in found]).chunks
    assert [chunk["options"][-1] for chunk in chunks] == ["--partition=gpu", "--partition=admin"]


def test_a_node_that_slurm_gives_to_nobody_is_not_asked_for():
    found = made([node("n1"), node("n2", unusable="drained")])
    assert [chunk["nodes"] for chunk in found.chunks] == [["n1"]] and found.unusable == ["n2"]


def test_without_an_image_the_message_says_what_to_set():
    with pytest.raises(CannotStart, match="validate_image"):
        made([node("n1")], settings.Settings())


def test_every_allocation_has_an_end_and_the_sites_choices():
    options = plan.allocation_options(8, settings.Settings(partition="gpu", account="ops", reservation="maint"))
    assert {"--time=30", "--exclusive", "--partition=gpu", "--account=ops", "--reservation=maint"} <= set(options)


@pytest.mark.parametrize("step", ["host", "nested", "sample", "group"])
def test_a_step_leaves_every_check_its_own_bound(step):
    order = plan.step_order(step, catalogue.load(), settings.Settings())
    alone = plan.step_order("nested", {"M-01": catalogue.load()["M-01"]}, settings.Settings())
    assert order["checks"] and order["seconds"] >= max(item["seconds"] for item in order["checks"])
    assert alone["seconds"] > alone["checks"][0]["seconds"] == catalogue.load()["M-01"].check.seconds


def test_where_containers_start_late_the_checks_that_start_them_have_longer():
    usual, slow = (settings.Settings(container_start=seconds) for seconds in (60, 256))
    for step, more in (("nested", 136), ("sample", 136), ("host", 0), ("container", 0)):
        bounds = [
            [item["seconds"] for item in plan.step_order(step, catalogue.load(), chosen)["checks"]]
            for chosen in (usual, slow)
        ]
        assert [late - soon for soon, late in zip(*bounds, strict=True)] == [more] * len(bounds[0])


def test_a_dry_run_prints_nodes_commands_time_and_gpu_hours():
    text = plan.dry_run(made([node("n1"), node("n2"), node("n3", unusable="down")]), IMAGE)
    assert "2 nodes in 1 allocations" in text and "gives them to nobody): n3" in text
    assert "--nodelist=n1,n2" in text and "--container-image=/images/probe.sqsh" in text
    assert re.search(r"expected: \d+ s, \d+\.\d\d GPU-hours of 16 GPUs; at most \d+ minutes", text)


def test_the_forecast_has_what_checks_usually_take_and_the_ceiling_is_slurms():
    image = {"image": "/x.sqsh", "workload_image": "/w.sqsh", "workloads": ("nccl_tests",), "kind": "nvidia_h100"}
    deep, standard = (settings.Settings(tier=tier, **image) for tier in ("deep", "standard"))
    two = made([node("n1"), node("n2")], deep)
    assert two.forecast > 610 and 16 * 610 / 3600 < two.gpu_hours < 16 * two.forecast / 3600 + 0.01
    assert two.ceiling <= 180 * 60 and made([node("n1")], standard).ceiling == 60 * 60
    alone, four = made([node("n1")], standard), made([node(f"n{i}", state="mixed") for i in range(4)], standard)
    # The samples are made in one of the four allocations.
    assert alone.forecast == four.forecast and alone.gpu_hours < four.gpu_hours < 4 * alone.gpu_hours


def test_a_dry_run_prints_samples_and_groups_where_they_are_started():
    everything = settings.Settings(image="/x.sqsh", tier="standard", allow=("network",), chunk_size=2)
    text = plan.dry_run(made([node(f"n{number}") for number in range(1, 6)], everything), everything)
    steps = ("host", "sample", "group", "after")
    where = {step: re.findall(rf"--nodelist=(\S+) .*# {step}: ", text) for step in steps}
    assert where == {
        "host": ["n1,n2", "n3,n4", "n5"], "sample": ["n1"], "group": ["n1", "n3"], "after": ["n1,n2", "n3,n4", "n5"],
    }  # fmt: skip


# The submit host


@pytest.mark.parametrize("account", ["root", "admin"])
def test_a_command_behind_ssh_arrives_word_by_word(tmp_path, account):
    """ssh hands one text to a shell, and runuser or sudo to another: here both are programs that do just that."""
    (tmp_path / "ssh").write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\nexec sh -c "$*"\n')
    (tmp_path / "runuser").write_text('#!/bin/sh\nexec sh "$3" "$4"\n')
    (tmp_path / "sudo").write_text('#!/bin/sh\nwhile [ "$1" != sh ]; do shift; done\nexec "$@"\n')
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    host = session.submit_host("login1", {"ansible_user": account, "ansible_host": "10.0.0.3"}, "member")
    words = ["printf", "%s|", "a b", "it's", '"$HOME"', "c;d", "*"]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(host.command(words), capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == 'a b|it\'s|"$HOME"|c;d|*|'


def test_the_inventorys_connection_is_used():
    variables = {
        "ansible_user": "root", "ansible_host": "10.0.0.3", "ansible_port": 2222, "ansible_ssh_private_key_file": "/k",
        "ansible_ssh_common_args": '-o UserKnownHostsFile="/a b"',
    }  # fmt: skip
    words = session.submit_host("login1", variables, "member").words
    assert shlex.join(words).endswith(
        "-i /k -p 2222 -o 'UserKnownHostsFile=/a b' -o ServerAliveInterval=15 -o ServerAliveCountMax=4 "
        "root@10.0.0.3 -- runuser -l member -c"
    )


# The catalogue


def test_no_check_was_lost():
    """What is wrong with one is said when they are loaded."""
    assert len(catalogue.load()) >= 110


def test_a_check_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no such check: N-99"):
        catalogue.chosen("quick", ["N-99"])


@pytest.mark.parametrize(
    ("named", "more"),
    [
        ("C-02", {"N-03", "N-04"}),
        ("C-11", {"C-09"}),
        ("X-03", {"N-03", "N-04"}),
        # Without the model of the GPUs there is no fabric in the profile.
        ("N-17", {"N-04"}),
        ("N-12", set()),
    ],
)
def test_a_check_that_is_named_brings_what_it_is_compared_with(named, more):
    assert set(catalogue.chosen("quick", [named])) == {named, *more}


def test_a_check_that_is_named_is_judged_by_the_nodes_own_profile():
    blind = [
        check
        for check, entry in catalogue.load().items()
        if "context.profile." in entry.source and catalogue.MODEL not in catalogue.chosen("quick", [check])
    ]
    assert blind == []


def test_no_check_explains_itself_in_a_circle():
    entries = catalogue.load()

    def above(check: str, path: tuple[str, ...]) -> None:
        assert check not in path, " -> ".join([*path, check])
        for earlier in entries[check].check.after if check in entries else ():
            above(earlier, (*path, check))

    for check in entries:
        above(check, ())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("slurm_ping: error: Munge encode failed: Failed to access", "on login1: systemctl status munge"),
        ("Slurmctld(primary) at head is DOWN", "systemctl status slurmctld on the controller"),
    ],
)
def test_a_controller_that_does_not_answer_may_be_munge_on_the_submit_host(monkeypatch, said, words):
    here = session.Submit("login1")
    monkeypatch.setattr(suite, "ask", lambda _host: {"ping": {"code": 1, "stdout": "", "stderr": said}})
    with pytest.raises(CannotStart, match=words):
        suite.prepare(suite.Target((here,), None, here), IMAGE)
