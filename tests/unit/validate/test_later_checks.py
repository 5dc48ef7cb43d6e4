"""The criteria of the checks that start steps of their own, that need real hardware, or that look at groups."""

from __future__ import annotations

import itertools
import os
import pwd
import subprocess
from dataclasses import replace

import pytest

from tests.unit.validate import observations
from tests.unit.validate.observations import BAD, GOOD, NCCL, SLOW
from tests.unit.validate.test_checks import judge
from validate import groups, kinds, nccl, ranks
from validate.catalogue import load
from validate.checks import a_06_apptainer, m_02_pmix_nodes, p_02_bandwidth, p_06_dcgm
from validate.model import FAIL, PASS, SKIP, WARN, Context
from validate.probing import WITHOUT_SLURM, Node, Output

KINDS = {
    "C-05": "nvidia", "A-01": "nvidia", "D-03": "nvidia", "D-04": "nvidia", "B-01": "nvidia", "B-02": "nvidia",
    "B-03": "nvidia", "X-01": "cpu", "X-02": "amd", "X-03": "neuron",
}  # fmt: skip
EVERYTHING = {"runtimes": ["enroot", "pyxis", "docker", "apptainer"]}


@pytest.mark.parametrize("check", sorted(GOOD))
def test_a_good_observation_passes(check):
    kind = KINDS.get(check, "nvidia_h100" if "nvidia" in load()[check].check.needs else "simulated")
    finding = judge(check, GOOD[check], kind, settings=EVERYTHING)
    # A site that names no plain image has nothing to promise.
    assert finding.status == (SKIP if check == "C-06" else PASS), finding


@pytest.mark.parametrize(
    ("check", "kind", "observed", "status", "words"), BAD, ids=[f"{row[0]}-{at}" for at, row in enumerate(BAD)]
)
def test_a_bad_observation_has_its_verdict(check, kind, observed, status, words):
    finding = judge(check, observed, kind, settings=EVERYTHING)
    assert finding.status == status, finding
    assert words in f"{finding.observed} {finding.expected} {finding.cause}"


def test_every_check_but_those_of_one_kind_alone_is_tried_with_something_bad():
    """H-09 and A-06 are comparisons, A-04 and I-09 warnings, C-06 and L-05 elsewhere: each has a test of its own."""
    tried = {row[0] for row in BAD} | {"H-09", "A-04", "I-09"}
    assert set(GOOD) - tried == set()


def test_submit_hosts_are_compared():
    other = {**GOOD["H-09"], "/etc/enroot/enroot.conf": "other"}
    fleet = dict.fromkeys(("a", "b", "c"), GOOD["H-09"])
    finding = judge("H-09", other, fleet={**fleet, "d": other})
    assert finding.status == FAIL and "/etc/enroot/enroot.conf" in finding.observed
    assert judge("H-09", GOOD["H-09"], fleet={**fleet, "d": other}).status == PASS


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"in_home": True, "path": "/home/x/.apptainer/cache"}, WARN, "in the home directory"),
        ({"type": "tmpfs"}, WARN, "on tmpfs"),
        ({"writable": False}, FAIL, "cannot be written"),
    ],
)
def test_apptainers_directories_belong_on_a_local_disk(changes, status, words):
    seen = {**GOOD["A-04"]["directories"]["TMPDIR"], **changes}
    finding = judge("A-04", {"installed": True, "directories": {"TMPDIR": seen}}, settings=EVERYTHING)
    assert finding.status == status and words in finding.observed


@pytest.mark.parametrize(
    ("policy", "group", "status"),
    [
        ("warn", "0::/system.slice/docker-ab.scope\n", WARN),
        ("refuse", "0::/system.slice/docker-ab.scope\n", FAIL),
        ("allow", "0::/system.slice/docker-ab.scope\n", PASS),
        ("refuse", "0::/system.slice/slurmstepd.scope/job_7/docker-ab\n", PASS),
    ],
)
def test_docker_outside_of_its_job_is_never_silent(policy, group, status):
    observed = {"installed": True, "refused": "", "image": "x", **observations.said(), "group": group}
    finding = judge("I-09", observed, settings={**EVERYTHING, "docker_escape": policy})
    assert finding.status == status
    assert "outside the job" in finding.observed or "job_7" in group


def test_the_mask_that_would_be_right_is_said():
    bad = {**GOOD["I-07"], "ranks": [{**rank, "cores_numa": ["0", "1"]} for rank in GOOD["I-07"]["ranks"]]}
    assert "--cpu-bind=mask_cpu:0xf,0xf0 " in judge("I-07", bad).fix


def test_a_slow_disk_is_a_warning_among_eight():
    fleet = {f"n{number}": GOOD["P-07"] for number in range(8)}
    slow = {**GOOD["P-07"], "rate": 300.0}
    assert judge("P-07", slow, fleet=fleet).status == WARN
    assert judge("P-07", slow, fleet={"n1": GOOD["P-07"]}).status == PASS


def test_matrix_multiplication_has_a_floor_where_a_profile_names_one():
    profile = replace(kinds.load()["nvidia_h100"], expect={"gemm_tflops": 500})
    context = Context("gpu001", profile, slurm={"gpus": 8})
    slow = {**GOOD["P-01"], "tflops": [650.0] * 7 + [90.0]}
    assert load()["P-01"].judge(slow, context).observed == "GPU 7: 90.0"
    assert load()["P-01"].judge(GOOD["P-01"], context).status == PASS


# What foreign programs print


def test_nccl_tests_are_read_with_size_ranks_and_version():
    seen = nccl.read(NCCL, "", 0)
    assert (seen["busbw"], seen["size"], seen["wrong"], seen["ranks"]) == (481.34, 2**33, 0, 2)
    assert seen["version"] == "2.21.5+cuda12.4" and nccl.good(seen)
    assert nccl.read(NCCL.replace("481.34      0", "481.34      7"), "", 0)["wrong"] == 7
    assert nccl.read("garbage \ufffd", "", 0)["busbw"] is None
    assert not nccl.good(nccl.read("", "", 0)) and not nccl.good("garbage")


def test_nvbandwidth_and_dcgm_are_read():
    assert p_02_bandwidth.read(f"nvbandwidth v0.8\n{observations.NVBANDWIDTH}")["device_local_copy"] == [55.4, 55.3]
    assert p_02_bandwidth.read("garbage") == {} and p_02_bandwidth.read("{}") == {}
    assert p_06_dcgm.read(observations.DIAG) == [["PCIe", "Pass", ""], ["Memory", "Fail", "ECC"]]
    assert p_06_dcgm.read("Error: no hostengine") == []


def test_ranks_are_read_from_among_other_lines():
    assert ranks.read('noise\n@rank {"rank": "1", "task": "1"}\nx @rank {"rank": "0", "task": "0"}\n@rank {') == [
        {"rank": "0", "task": "0"},
        {"rank": "1", "task": "1"},
    ]


# Which node


def test_the_bad_node_is_named_by_a_second_partner_and_its_first_one_is_cleared():
    asked = []

    def test(pair):
        asked.append(tuple(pair))
        return "n3" not in pair

    names = [f"n{number}" for number in range(1, 8)]
    found = groups.pairs(names, test, lambda seen, _all: seen)
    assert set(found) == set(names)
    bad = [name for name in names if not found[name]["seen"] and not found[name].get("again", {}).get("seen")]
    assert bad == ["n3"]
    again = {"with": found["n4"]["again"]["with"], "seen": True}
    assert found["n4"] == {"with": "n3", "seen": False, "again": again, "link": ""}
    assert len(asked) == 4 + 2


@pytest.mark.parametrize("count", range(2, 10))
def test_one_bad_node_is_named_alone_wherever_it_is(count):
    names = [f"n{number}" for number in range(1, count + 1)]
    for bad in names:
        found = groups.pairs(names, lambda pair, bad=bad: bad not in pair, lambda seen, _all: seen, further=True)
        entries = found.items()
        lost = [name for name, seen in entries if not seen["seen"] and not seen.get("again", {}).get("seen")]
        # Of two nothing more can be said.
        assert lost == ([bad] if count > 2 else names), f"{bad} of {count}: {found}"
        assert not any(seen.get("link") for seen in found.values())


@pytest.mark.parametrize("count", range(3, 9))
def test_a_broken_link_is_named_on_both_of_its_ends_and_on_no_other_node(count):
    names = [f"n{number}" for number in range(1, count + 1)]
    for one, other in itertools.combinations(names, 2):
        broken = {one, other}
        found = groups.pairs(
            names, lambda pair, broken=broken: {*pair} != broken, lambda seen, _all: seen, further=True
        )
        links = {name: seen["link"] for name, seen in found.items() if seen.get("link")}
        assert links == {one: other, other: one}, f"{one}-{other} of {count}: {found}"
        assert all(seen["seen"] or seen["again"]["seen"] for seen in found.values())


def test_a_pair_that_is_well_when_it_is_tried_once_more_is_no_broken_link():
    asked = []

    def test(pair):
        asked.append({*pair})
        return {*pair} != {"n1", "n2"} or asked.count({*pair}) > 1

    found = groups.pairs(["n1", "n2", "n3"], test, lambda seen, _all: seen, further=True)
    assert found["n1"]["link"] == found["n2"]["link"] == ""


def test_a_group_that_is_well_at_the_second_try_accuses_nobody(monkeypatch):
    tries = []

    def start(_node, names, *_more):
        tries.append(names)
        ended = len(tries) > 1
        return ([observations.task(rank, names[rank // 2]) for rank in range(2 * len(names))] if ended else []), "late"

    monkeypatch.setattr(m_02_pmix_nodes, "start", start)
    seen = m_02_pmix_nodes.observe(Node(name="n1", nodes=("n1", "n2", "n3")))
    assert {judge("M-02", entry).status for entry in seen.values()} == {PASS}
    assert "at the second try" in judge("M-02", seen["n2"]).observed
    monkeypatch.setattr(m_02_pmix_nodes, "start", lambda *args: start(*args) if len(args[1]) == 2 else ([], "late"))
    bad = m_02_pmix_nodes.observe(Node(name="n1", nodes=("n1", "n2", "n3")))
    assert [judge("M-02", entry).status for entry in bad.values()] == [FAIL, PASS, PASS]


def test_a_pair_is_started_by_one_of_its_nodes_without_the_variables_of_the_step_around_it(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(Node, "run", lambda _node, words, *_more, **_named: seen.append(words) or Output(0, "", ""))
    Node(name="n1").srun(["--overlap"], ["hostname"], nodes=["n2", "n3"], start="n3")
    Node(name="n1").srun(["--overlap"], ["hostname"], nodes=["n1", "n3"], start="n1")
    outer, inner = seen[0][: seen[0].index("sh")], seen[0][seen[0].index("sh") :]
    assert "--nodelist=n3" in outer and "--nodelist=n2,n3" in inner and "--nodelist=n2,n3" not in outer
    assert "sh" not in seen[1] and "--nodelist=n1,n3" in seen[1]
    variables = {"SLURM_STEP_ID": "3", "SLURM_CONF": "/x", "PATH": os.environ["PATH"]}
    words = ["sh", "-c", WITHOUT_SLURM, "sh", "env"]
    printed = subprocess.run(words, env=variables, capture_output=True, text=True, check=True).stdout
    assert "SLURM_CONF=/x" in printed and "SLURM_STEP_ID" not in printed


def test_where_no_pair_is_good_nobody_is_trusted():
    found = groups.pairs(["a", "b", "c", "d"], lambda _pair: False, lambda seen, _all: seen)
    assert all("again" not in entry for entry in found.values())


def test_a_bad_group_is_halved_to_its_smallest_bad_part():
    names = [f"n{number}" for number in range(16)]
    assert groups.bisect(names, lambda part: "n5" not in part, bool) == [["n4", "n5"]]
    assert groups.bisect(names, lambda part: len(part) < 16, bool) == [names]


def test_pairs_and_halves_follow_the_leaf_switches():
    names = [f"n{number}" for number in range(8)]
    leaves = {name: "leaf1" if number < 3 else "leaf2" for number, name in enumerate(names)}
    found = groups.pairs(names, lambda pair: pair, lambda _seen, _all: True, leaves)
    assert [found[name]["with"] for name in names] == ["n1", "n0", "n7", "n4", "n3", "n6", "n5", "n2"]
    asked = []

    def test(part):
        asked.append(list(part))
        return "n1" not in part

    assert groups.bisect(names, test, bool, leaves) == [["n0", "n1", "n2"]]
    assert asked == [names[:3], names[3:]]


def test_pairs_are_judged_among_all_pairs():
    from validate.checks.m_06_pairs import SHARE, usual

    fast = {**nccl.read(NCCL, "", 0)}
    assert SHARE * usual([fast, fast, SLOW]) > SLOW["busbw"] and usual([]) == 0.0


APPTAINER = {
    "version": "apptainer version 1.4.5", "mode": "userns", "subids": ["subuid", "subgid"], "problem": "",
    "ranges": {"subuid": "65536 ids", "subgid": "65536 ids"}, "mapping": {"newuidmap": "setuid", "newgidmap": "setuid"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, PASS, "1.4.5, userns"),
        ({"problem": "FATAL: no userns"}, FAIL, "does not start a container"),
        ({"problem": "FATAL: the configuration is broken", "version": ""}, FAIL, "does not start a container"),
        ({"version": ""}, FAIL, "no apptainer"),
        ({"mode": "suid"}, FAIL, "userns, as on 9 nodes"),
        ({"version": "apptainer version 1.3.0"}, FAIL, "1.4.5, userns, as on 9 nodes"),
        ({"subids": ["subgid"]}, FAIL, "in /etc/subuid and /etc/subgid, as on 9 nodes"),
        (
            {"subids": ["subgid"], "ranges": {"subgid": "65536 ids"}},
            FAIL,
            "in /etc/subuid and /etc/subgid, as on 9 nodes",
        ),
        ({"ranges": {"subuid": "1 ids", "subgid": "65536 ids"}}, FAIL, "/etc/subuid 1 ids; /etc/subgid 65536 ids"),
        ({"mapping": {"newuidmap": "neither", "newgidmap": "setuid"}}, FAIL, "newuidmap lost its rights"),
    ],
)
def test_apptainer_starts_and_is_as_on_the_other_nodes(changes, status, words):
    observed = {**APPTAINER, **changes}
    # A node on which it does not start has the version of the others all the same.
    fleet = {**{f"n{number}": APPTAINER for number in range(9)}, "gpu001": observed}
    finding = judge("A-06", observed, fleet=fleet, settings=EVERYTHING)
    assert finding.status == status and words in f"{finding.observed} {finding.expected} {finding.cause}"


def test_the_accounts_range_of_ids_is_counted_and_compared_with_those_of_others(tmp_path):
    name = pwd.getpwuid(os.getuid()).pw_name
    given = a_06_apptainer.given
    assert given(f"# x:1:2\n{name}:100000:65536\nother:165536:65536\n") == "65536 ids"
    assert given(f"{name}:100000:1\nother:100000:65536\n") == "1 ids, shared with another account"
    assert given(f"{os.getuid()}:5:10\n{name}:20:10\nbroken\n") == "20 ids"
    assert given("other:1:2\n") == ""
    (tmp_path / "newuidmap").touch(mode=0o755)
    assert a_06_apptainer.raised(str(tmp_path / "newuidmap")).startswith("neither")
    (tmp_path / "newuidmap").chmod(0o4755)
    assert a_06_apptainer.raised(str(tmp_path / "newuidmap")).startswith("setuid")
    assert a_06_apptainer.raised("") == "missing"


def test_results_of_apptainer_without_its_start_are_still_judged():
    older = {"version": "apptainer version 1.4.5", "mode": "userns"}
    assert judge("A-06", older, fleet=dict.fromkeys("abc", older), settings=EVERYTHING).status == PASS


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 0", ""),
        ("[ $1 = --silent ] || echo 'FATAL: no device /dev/fuse' >&2; exit 255", "FATAL: no device /dev/fuse"),
        ("echo first >&2; echo last >&2; exit 1", "last"),
        ("exit 3", "it ended with 3"),
        ("[ $1 = --version ] || exec sleep 60", "no answer within 0.5 s"),
    ],
)
def test_apptainer_is_tried_with_the_image(tmp_path, monkeypatch, script, problem):
    (tmp_path / "apptainer").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "apptainer").chmod(0o755)
    (tmp_path / "image").write_text("x")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(a_06_apptainer, "PATIENCE", 0.5)
    settings = {"image": str(tmp_path / "image"), "runtimes": ["enroot", "apptainer"]}
    assert a_06_apptainer.observe(Node(settings))["problem"] == problem
    # What the site does not promise, or is not on this node, is not tried.
    for other in ({**settings, "runtimes": ["enroot"]}, {**settings, "image": "/no/such"}, {**settings, "image": "x"}):
        assert a_06_apptainer.observe(Node(other))["problem"] == ""
