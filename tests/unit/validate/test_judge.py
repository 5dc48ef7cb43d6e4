"""The judge: complete, fail closed, the first cause only, and the same again from stored results."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.validate.conftest import GOOD
from validate import blocking, drain, kinds, results, stored
from validate.catalogue import load
from validate.errors import CannotStart
from validate.model import ACCEPTED, BLOCKED, ERROR, FAIL, NO_RESULT, PASS, SKIP, WARN, Verdict, failed, warned, worst
from validate.report import junit

RECORDED = Path(__file__).parents[2] / "fixtures" / "recorded"


def bad(document: dict[str, Any]) -> dict[str, str]:
    """Return every cell that is not accepted as node/check -> status."""
    cells = results.judged(document).verdicts
    return {f"{cell.node}/{cell.check}": cell.status for cell in cells if cell.status not in ACCEPTED}


def test_a_good_cluster_is_accepted_without_an_alarm(document):
    judged = results.judged(document)
    assert bad(document) == {}
    assert [cell for cell in judged.verdicts if cell.status == WARN] == []
    assert judged.exit_code == 0 and judged.fleet_problems == []
    assert len(judged.accepted) == 11


def test_every_expected_host_has_exactly_one_verdict(document):
    document["hosts"].pop("gpu003")
    document["roster"][4].update(unusable="drained", reason="disk", reason_by="ops", reason_at="2026-11-22T19:15:41")
    document["hosts"].pop("gpu004")
    nodes = results.judged(document).nodes
    assert list(nodes) == [entry["name"] for entry in document["roster"]]
    assert nodes["gpu003"] == nodes["gpu004"] == NO_RESULT
    assert results.judged(document).exit_code == 2


def test_a_silent_node_is_one_row_and_no_other_is_blamed(document, verdict):
    document["hosts"].pop("gpu003")
    judged = results.judged(document)
    assert [cell.check for cell in judged.of("gpu003")] == ["N-01"]
    assert sum(status not in ACCEPTED for status in judged.nodes.values()) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unusable": "drained", "reason": "disk", "reason_by": "ops", "reason_at": "T"}, "disk by ops at T"),
        ({"unusable": "down", "reason": "Not responding"}, "Slurm: down: Not responding"),
        ({"unusable": "unknown to Slurm"}, "unknown to Slurm"),
    ],
)
def test_a_node_that_slurm_gives_to_nobody_has_slurms_own_reason(document, verdict, changes, words):
    document["roster"][1].update(changes)
    document["hosts"].pop("gpu001")
    cell = verdict(document, "gpu001", "N-01")
    assert cell.status == NO_RESULT and words in cell.observed and cell.cause and cell.fix


def test_a_busy_node_names_its_job(document, verdict):
    silent = {"steps": {}, "checks": {}, "said": {}, "job": None}
    document["hosts"]["gpu001"] = {**silent, "refused": {"said": "salloc: error: x", "jobs": [["4711", "eve", "R"]]}}
    cell = verdict(document, "gpu001", "N-01")
    assert (cell.status, cell.cause) == (NO_RESULT, "busy, job 4711 of eve")


def test_a_dead_slurmd_is_named_from_what_srun_said(document, verdict):
    # Recorded from Slurm 24.11.5.
    said = "srun: error: Task launch for StepId=6.0 failed on node gpu001: Communication connection failure\n"
    document["hosts"]["gpu001"] = {"steps": {}, "checks": {}, "said": {"host": said}, "refused": None, "job": 6}
    cell = verdict(document, "gpu001", "N-01")
    assert cell.status == NO_RESULT and "slurmd" in cell.cause and "systemctl status slurmd" in cell.fix


def test_an_interrupted_run_invents_no_cause(document, verdict):
    document["cluster"]["interrupted"] = True
    document["hosts"].pop("gpu001")
    document["hosts"]["gpu002"].update(steps={}, checks={})
    for step in ("container", "one_gpu", "after"):
        del document["hosts"]["gpu003"]["steps"][step]
    document["hosts"]["gpu003"]["checks"] = {
        check: record for check, record in document["hosts"]["gpu003"]["checks"].items() if record["step"] == "host"
    }
    for name in ("gpu001", "gpu002"):
        cell = verdict(document, name, "N-01")
        assert cell.status == NO_RESULT and "the run was stopped" in cell.cause
    cell = verdict(document, "gpu003", "C-01")
    assert cell.status == NO_RESULT and "the run was stopped" in cell.cause
    assert results.judged(document).exit_code == 2
    for name in [name for name in document["hosts"] if name.startswith("gpu")]:
        document["hosts"].pop(name)
    assert results.judged(document).fleet_problems == []


EVERY = [check for check, entry in load().items() if entry.check.step != "submit"]
# The simulated kind's nodes, and a run that may use the network.
MEASURED = [check for check in EVERY if set(load()[check].check.needs) <= kinds.load()["simulated"].has | {"network"}]


@pytest.mark.parametrize("check", MEASURED)
@pytest.mark.parametrize(
    "record",
    [
        {"error": "no answer within 10 s", "timeout": True},
        {"error": "the observing process was killed"},
        {},
        {"observed": "garbage \ufffd"},
        {"observed": None},
        {"observed": {"what": ["else"]}},
        {"observed": []},
    ],
    ids=["hung", "killed", "empty", "garbage", "null", "another form", "list"],
)
def test_a_broken_observation_is_never_accepted(small, verdict, check, record):
    """Fail closed. Where an empty list or mapping is a legal observation, it is not garbage."""
    legal = {("N-21", "list"), ("L-05", "list"), ("C-18", "any")}
    kind = "list" if record.get("observed") == [] else "other"
    if (check, kind) in legal or (check == "C-18" and "observed" in record):
        pytest.skip("this is an observation of that check")
    small["hosts"]["gpu001"]["checks"][check] = {"check": check, "step": load()[check].check.step, **record}
    cell = verdict(small, "gpu001", check)
    if cell.status == SKIP:
        assert "validate_runtimes does not name" in cell.observed
    else:
        assert cell.status not in ACCEPTED, cell


@pytest.mark.parametrize(
    ("check", "damaged"),
    [
        ("L-01", {"names": [], "jobs": ["7"], "docker": None}),
        ("N-22", {**GOOD["N-22"], "nproc": "x"}),
        ("N-34", "garbage"),
        ("N-34", {"own": ["10.0.0.1"], "neighbours": None}),
        ("P-07", {**GOOD["P-07"], "rate": "x"}),
    ],
)
def test_a_damaged_record_costs_no_other_node(document, check, damaged):
    document["hosts"]["gpu002"]["checks"][check]["observed"] = damaged
    nodes = results.judged(document).nodes
    assert {node for node, status in nodes.items() if status not in ACCEPTED} == {"gpu002"}


@pytest.mark.parametrize("check", MEASURED)
def test_a_missing_record_is_not_measured(small, verdict, check):
    del small["hosts"]["gpu001"]["checks"][check]
    cell = verdict(small, "gpu001", check)
    assert cell.status == NO_RESULT and "step ended " in cell.observed
    assert results.judged(small).nodes["gpu001"] == NO_RESULT


def test_a_sample_that_hangs_on_one_node_accuses_none_that_was_not_asked(small, verdict):
    samples = [check for check, entry in load().items() if entry.check.step == "sample"]
    for name in ("gpu001", "gpu003"):
        del small["hosts"][name]["steps"]["sample"]
        for check in samples:
            del small["hosts"][name]["checks"][check]
    small["hosts"]["gpu002"]["checks"]["I-04"] = {"check": "I-04", "step": "sample", "error": "no answer", "timeout": 1}
    assert verdict(small, "gpu002", "I-04").status == ERROR
    assert results.judged(small).nodes["gpu001"] == PASS
    assert verdict(small, "gpu001", "I-04").observed == "tried on gpu002, a node of the same kind"
    del small["hosts"]["gpu002"]["steps"]["sample"], small["hosts"]["gpu002"]["checks"]["I-04"]
    assert verdict(small, "gpu001", "I-04").status == NO_RESULT


def test_kinds_that_slurm_does_not_tell_apart_share_their_sample_and_others_have_their_own(small, verdict):
    """Two SKUs with `Gres=gpu:8`: one of the nodes was asked, and the other one's silence says nothing."""
    small["settings"]["kind"] = ""
    for entry, alike, gpu in zip(
        small["roster"][1:], ("x", "x", "y"), ("H100 80GB HBM3", "A100-SXM4-80GB", "A100-SXM4-80GB")
    ):
        host = small["hosts"][entry["name"]]
        entry["alike"] = alike
        for step in host["steps"].values():
            step["hello"]["hardware"] = {"nvidia": 8}
        host["checks"]["N-04"] = {"check": "N-04", "step": "host", "observed": {"stdout": f"0, GPU-1, NVIDIA {gpu}"}}
        if entry["name"] != "gpu001":
            del host["steps"]["sample"], host["checks"]["I-04"]
    assert verdict(small, "gpu002", "I-04").observed == "tried on gpu001, a node of the same kind"
    assert "the sample step did not begin" in verdict(small, "gpu003", "I-04").observed


def test_a_probe_that_says_hello_and_nothing_else_is_not_accepted(document):
    document["hosts"]["gpu001"]["checks"] = {}
    assert results.judged(document).nodes["gpu001"] == NO_RESULT


def test_a_batch_script_that_fails_on_a_node_is_explained_by_what_that_nodes_failures_stand_on(document, verdict):
    """Seen with a closed /dev/null: the submit host blamed a check of the node that was itself BLOCKED."""
    checks = document["hosts"]["gpu001"]["checks"]
    checks["N-31"]["observed"]["null"]["mode"] = 0o600
    checks["N-06"]["observed"]["enroot version"] = "3.4.0"
    document["hosts"]["login1"]["checks"]["C-08"]["observed"]["runs"][0]["code"] = 1
    assert verdict(document, "gpu001", "N-06").by == "N-31"
    assert verdict(document, "login1", "C-08").by == "N-31"


def test_a_batch_script_that_failed_is_explained_by_no_other_node(document, verdict):
    document["hosts"].pop("gpu003")
    document["hosts"]["login1"]["checks"]["C-08"]["observed"]["runs"][0]["code"] = 1
    assert verdict(document, "login1", "C-08").status == FAIL
    document["hosts"]["gpu001"]["checks"]["L-04"]["observed"] = {"state": "DRAINED", "reason": "batch job failed"}
    assert verdict(document, "login1", "C-08").by == "L-04"
    run = {"node": "gpu002", "known": True, "code": 1, "stdout": "", "stderr": ""}
    document["hosts"]["login1"]["checks"]["C-08"]["observed"]["runs"].append(run)
    assert verdict(document, "login1", "C-08").status == FAIL


def explained(document: dict[str, Any], failing: dict[str, str]) -> dict[str, str]:
    """Return by what each of these checks of one node is blocked, in this order: check -> its cause."""
    node = document["roster"][1]
    cells = {name: Verdict(node["name"], name, FAIL, "x", "y", cause, "mend it") for name, cause in failing.items()}
    found = blocking.of_hosts([node], document["hosts"], {node["name"]: cells}, load(), stopped=False)
    return {cell.check: cell.by for cell in found}


def test_of_one_cause_and_fix_one_failure_stays_that_nothing_explains(document):
    # N-13 follows from N-04, and N-25 from N-29.
    assert explained(document, {"N-13": "a", "N-21": "a", "N-24": "a", "N-04": "b"}) == {
        "N-13": "N-04", "N-21": "", "N-24": "N-21", "N-04": "",
    }  # fmt: skip
    assert explained(document, {"N-13": "a", "N-25": "b", "N-04": "b", "N-29": "a"}) == {
        "N-13": "N-04", "N-25": "N-29", "N-04": "", "N-29": "",
    }  # fmt: skip
    assert explained(document, {"N-21": "b", "N-13": "a", "N-04": "b"}) == {"N-21": "", "N-13": "N-21", "N-04": "N-21"}


def test_what_a_killed_probe_never_came_to_is_blocked_by_what_explains_where_it_was(document):
    host = document["hosts"]["gpu001"]
    del host["steps"]["container"]["bye"]
    host["checks"]["N-33"]["observed"]["PrivateDevices"] = "yes"
    for check in [check for check, record in host["checks"].items() if record["step"] == "container"]:
        del host["checks"][check]
    cells = {cell.check: cell for cell in results.judged(document).of("gpu001") if cell.status not in ACCEPTED}
    assert {cell.by for cell in cells.values() if cell.status == BLOCKED} == {"N-33"} and "C-09" in cells
    assert [check for check, cell in cells.items() if cell.status != BLOCKED] == ["N-33"]


def test_the_first_failure_blocks_what_follows_from_it(document):
    broken = document["hosts"]["gpu001"]
    broken["checks"]["N-10"]["observed"]["ENROOT_DATA_PATH"]["options"] = "rw,noexec"
    for step in ("container", "one_gpu"):
        del broken["steps"][step]
        broken["said"][step] = "enroot-switchroot: failed to execute: /bin/sh: Permission denied"
    for check, entry in load().items():
        if entry.check.step in ("container", "one_gpu"):
            broken["checks"].pop(check, None)
    broken["checks"]["C-11"]["observed"] = {"problem": "No such file or directory", "me": 2001}
    judged = results.judged(document)
    cells = {cell.check: cell for cell in judged.of("gpu001") if cell.status not in ACCEPTED}
    assert {check for check, cell in cells.items() if cell.status == FAIL} == {"N-10"}
    assert {cell.by for cell in cells.values() if cell.status == BLOCKED} == {"N-10"}
    assert {"C-01", "C-09", "C-11", "I-01"} <= set(cells)


def test_what_passed_has_its_own_evidence_and_stays(document, verdict):
    document["hosts"]["gpu001"]["checks"]["N-12"]["observed"]["98-nvidia.sh"] = "not executable"
    assert verdict(document, "gpu001", "N-12").status == FAIL
    assert verdict(document, "gpu001", "C-01").status == PASS


def test_a_container_that_did_not_start_is_named_by_its_inner_cause(document, verdict):
    broken = document["hosts"]["gpu001"]
    del broken["steps"]["container"]
    del broken["checks"]["C-01"]
    broken["said"]["container"] = (RECORDED / "pyxis-0.24.0" / "hook-fails.txt").read_text()
    cell = verdict(document, "gpu001", "C-01")
    assert cell.status == FAIL and "50-fail.sh exited with return code 3" in cell.observed
    assert "/etc/enroot/hooks.d/50-fail.sh" in cell.cause


def test_a_job_that_ran_on_the_node_itself_fails(document, verdict):
    document["hosts"]["gpu001"]["checks"]["C-01"]["observed"] = {"release": "debian 13", "root": "overlay:/"}
    cell = verdict(document, "gpu001", "C-01")
    assert cell.status == FAIL and "without pyxis" in cell.cause


def test_more_than_thirty_percent_are_one_problem_of_the_fleet(document):
    for number in range(1, 5):
        document["hosts"][f"gpu{number:03}"]["checks"]["N-08"]["observed"]["limit"] = 0
    problem = results.judged(document).fleet_problems[0]
    assert (problem.check, len(problem.nodes), problem.measured) == ("N-08", 4, 10)
    document["hosts"]["gpu004"]["checks"]["N-08"]["observed"]["limit"] = 95_000
    assert results.judged(document).fleet_problems == []


def test_nodes_that_skip_a_check_do_not_hide_that_all_others_fail_it(document):
    """Ten nodes with GPUs among a hundred: what all ten fail is the fleet's, and drains nobody."""
    names = [f"n{number}" for number in range(100)]
    cells = [Verdict(name, "I-01", FAIL if number < 10 else SKIP, "8 GPUs") for number, name in enumerate(names)]
    document["roster"] = [{"name": name, "role": "compute"} for name in names]
    judged = results.Judged(document, cells)
    assert [(problem.nodes, problem.measured) for problem in judged.fleet_problems] == [(tuple(names[:10]), 10)]
    assert not drain.decide(judged, {}, True, 5).drain


def test_what_all_nodes_of_one_hardware_fail_is_their_fleets_problem(document):
    for entry in document["roster"][1:]:
        entry["hardware"] = "gpu:a100:8" if entry["name"] < "gpu004" else "gpu:h100:8"
    for number in (1, 2):
        document["hosts"][f"gpu{number:03}"]["checks"]["N-08"]["observed"]["limit"] = 0
    problem = results.judged(document).fleet_problems[0]
    assert (problem.check, problem.nodes, problem.measured) == ("N-08", ("gpu001", "gpu002"), 3)


def test_nodes_that_did_not_answer_for_different_reasons_are_no_problem_of_the_fleet(document):
    for number, reason in enumerate(("disk", "memory", "fan", "network"), 1):
        document["roster"][number].update(unusable="drained", reason=reason)
        document["hosts"].pop(f"gpu{number:03}")
    assert results.judged(document).fleet_problems == []


def test_one_node_with_a_reason_of_its_own_hides_no_problem_of_the_others(document):
    for number in range(1, 6):
        document["roster"][number].update(unusable="drained", reason="fan" if number == 1 else "Prolog error")
        document["hosts"].pop(f"gpu{number:03}")
    (problem,) = results.judged(document).fleet_problems
    assert (problem.nodes, problem.measured) == (("gpu002", "gpu003", "gpu004", "gpu005"), 10)


def test_a_file_that_differs_explains_what_it_does_to_containers(document, verdict):
    broken = document["hosts"]["gpu001"]["checks"]
    files = broken["N-07"]["observed"]
    name = next(name for name in files if name.endswith("enroot.conf"))
    files[name] = "0" * 8
    broken["C-18"]["observed"] = "9"
    broken["C-13"]["observed"] = None
    assert verdict(document, "gpu001", "N-07").status == FAIL
    cell = verdict(document, "gpu001", "C-13")
    assert (cell.status, cell.by) == (BLOCKED, "N-07")


@pytest.mark.parametrize(
    ("file", "blocked"),
    [
        ("/etc/enroot/hooks.d/50-slurm-pmi.sh", {"C-13", "M-01"}),
        ("/etc/docker/daemon.json", {"C-20"}),
        ("/etc/enroot/enroot.conf", {"C-13", "C-20", "M-01"}),
        ("/etc/sysctl.d/slipway.conf", set()),
    ],
)
def test_a_file_that_differs_explains_only_what_depends_on_it(document, verdict, file, blocked):
    checks = document["hosts"]["gpu001"]["checks"]
    checks["N-07"]["observed"][file] = "fedcba9876543210 0644"
    checks["C-13"]["observed"]["SLIPWAY_VALIDATE"] = "lost"
    checks["C-20"]["observed"] = {"nvcr.io": ["image", "no answer within 20 s", None]}
    checks["M-01"]["observed"] = {"tasks": [], "code": 1, "said": "no PMIx"}
    assert verdict(document, "gpu001", "N-07").status == FAIL
    cells = {check: verdict(document, "gpu001", check) for check in ("C-13", "C-20", "M-01")}
    assert {check for check, cell in cells.items() if cell.status == BLOCKED} == blocked
    assert {check for check, cell in cells.items() if cell.status == FAIL} == set(cells) - blocked


def test_what_explains_a_file_that_differs_explains_nothing_of_a_check_without_it(document, verdict):
    checks = document["hosts"]["gpu001"]["checks"]
    checks["C-20"]["observed"] = {"nvcr.io": ["image", "no answer within 20 s", None]}
    checks["N-22"]["observed"]["memlock"] = 64
    assert verdict(document, "gpu001", "N-22").status == FAIL
    assert verdict(document, "gpu001", "C-20").status == FAIL


def test_what_hangs_explains_what_could_not_be_observed_for_it_and_no_failure(small, verdict):
    checks = small["hosts"]["gpu001"]["checks"]
    checks["C-16"] = {"step": "sample", "error": "no answer within 400 s", "timeout": True}
    seen = {"image": "x", "said": "", "path": "/x", "first": {}, "second": {}}
    checks["L-03"]["observed"] = {**seen, "codes": [1, 1]}
    assert verdict(small, "gpu001", "C-16").status == ERROR
    assert (verdict(small, "gpu001", "L-03").status, verdict(small, "gpu001", "L-03").by) == (BLOCKED, "C-16")
    checks["L-03"]["observed"] = {**seen, "codes": [0, 0]}
    assert verdict(small, "gpu001", "L-03").status == FAIL


@pytest.mark.parametrize(("status", "expected"), [(FAIL, BLOCKED), (WARN, WARN)])
def test_a_submit_hosts_failure_refuses_no_node_that_was_warned_of(document, status, expected):
    found = failed("odd", "even") if status == FAIL else warned("odd", "even")
    entry = dataclasses.replace(load()["M-01"], judge=lambda _observed, _context: found)
    document["hosts"]["login1"]["checks"]["H-06"]["observed"]["stdout"] = "MPI plugin types are...\n\tnone\n"
    judged = results.judged(document, {**load(), "M-01": entry})
    cells = {(cell.node, cell.check): cell for cell in judged.verdicts}
    assert cells["login1", "H-06"].status == FAIL
    assert cells["gpu001", "M-01"].status == expected


@pytest.mark.parametrize("error", [StopIteration, RuntimeError, RecursionError, AssertionError, OSError])
def test_a_criterion_that_breaks_costs_its_own_cell(small, error):
    def broken(_observed, _context):
        raise error("odd")

    entries = {**load(), "N-08": dataclasses.replace(load()["N-08"], judge=broken)}
    judged = results.judged(small, entries)
    found = {cell.status for cell in judged.verdicts if cell.check == "N-08" and cell.node != "login1"}
    assert found == {ERROR} and judged.exit_code == 2


def test_damaged_steps_and_refusals_end_no_report(small):
    small["hosts"]["gpu001"]["steps"]["container"]["hello"] = {}
    small["hosts"]["gpu002"]["steps"]["container"]["received"] = "soon"
    small["hosts"]["gpu002"]["checks"]["N-08"]["seconds"] = "fast"
    small["hosts"]["gpu003"].update(refused={"said": None}, steps={}, checks={})
    judged = results.judged(small)
    assert judged.nodes["gpu003"] == NO_RESULT and "<testsuites>" in junit.render(judged)


def test_a_host_of_which_nothing_came_was_not_stopped(document, verdict):
    del document["hosts"]["gpu001"]
    assert verdict(document, "gpu001", "N-01").cause == "nothing came back of this host"


def test_a_profile_declares_what_does_not_apply(document, verdict):
    cell = verdict(document, "gpu001", "N-13")
    assert cell.status == SKIP and "declared by profile simulated" in cell.observed


def test_what_needs_root_is_said_and_never_passed(document, verdict):
    document["settings"]["kind"] = "nvidia"
    cell = verdict(document, "gpu001", "N-18")
    assert cell.status == SKIP and "needs root" in cell.observed


def test_a_node_that_lost_all_its_gpus_is_not_taken_for_one_without(document, verdict):
    document["settings"]["kind"] = ""
    document["hosts"]["gpu001"]["checks"]["N-03"]["observed"]["nvidia"] = {"devices": [], "openable": []}
    assert verdict(document, "gpu001", "N-03").status == FAIL


def test_a_node_in_slurm_alone_is_said(document, verdict):
    document["cluster"]["only_in_slurm"] = ["gpu099"]
    cell = verdict(document, "login1", "H-02")
    assert cell.status == WARN and "gpu099" in cell.observed


def test_one_node_that_differs_from_the_others_is_the_one_named(document, verdict):
    document["hosts"]["gpu002"]["checks"]["N-06"]["observed"]["enroot"] = "4.0.1-1"
    assert verdict(document, "gpu002", "N-06").status == FAIL
    assert list(bad(document)) == ["gpu002/N-06"]


def test_a_sample_that_broke_on_one_node_is_not_missed_on_the_others(document, verdict):
    for name, host in document["hosts"].items():
        host["checks"].pop("I-04", None)
        host["steps"].pop("sample", None) if name != "gpu001" else None
    hung = {"check": "I-04", "step": "sample", "error": "hung", "timeout": True}
    document["hosts"]["gpu001"]["checks"]["I-04"] = hung
    assert verdict(document, "gpu001", "I-04").status == ERROR
    assert verdict(document, "gpu002", "I-04").observed == "tried on gpu001, a node of the same kind"


def test_a_host_is_judged_by_what_the_inventory_installs_on_it(document, verdict):
    document["roster"][1]["runtimes"] = ["enroot", "pyxis", "docker"]
    document["roster"][2]["runtimes"] = ["enroot", "pyxis"]
    assert verdict(document, "gpu001", "N-05").observed == "not found: docker"
    assert verdict(document, "gpu002", "N-05").status == PASS


@pytest.mark.parametrize(("count", "status"), [(2, PASS), (3, WARN)])
def test_a_slow_start_is_seen_among_three_nodes(document, verdict, count, status):
    document["roster"] = document["roster"][: count + 1]
    document["hosts"] = {entry["name"]: document["hosts"][entry["name"]] for entry in document["roster"]}
    document["hosts"]["gpu001"]["steps"]["container"]["received"] += 40
    assert verdict(document, "gpu001", "C-18").status == status


@pytest.mark.parametrize(
    ("unusable", "reason", "cause", "fix"),
    [
        ("drained", "gres/gpu count reported lower than configured (7 < 8)", "fewer devices", "state=resume"),
        ("invalid_reg", "Low socket*core*thread count, Low CPUs", "fewer CPUs", "on gpu001: slurmd -C"),
        (
            "drained",
            "slipway-validate:N-12 no hook",
            "an earlier run of this suite",
            "--limit gpu001 --resume gives it back",
        ),
        ("drained", "disk swap", "Slurm: drained: disk swap", "mend what the reason says (scontrol show node gpu001)"),
        ("powered_down", "", "Slurm: powered_down", "state=power_up"),
    ],
)
def test_what_slurm_gives_as_reason_has_a_fix_of_its_own(document, verdict, unusable, reason, cause, fix):
    document["roster"][1].update(unusable=unusable, reason=reason)
    document["hosts"].pop("gpu001")
    cell = verdict(document, "gpu001", "N-01")
    assert cause in cell.cause and fix in cell.fix and cell.fix.count("resume") <= 1


def test_a_failure_needs_evidence():
    with pytest.raises(ValueError, match="what was observed"):
        failed("", "something")


def test_the_worst_wins_whatever_comes_later():
    for pair in itertools.permutations((WARN, PASS)):
        assert worst(list(pair)) == WARN
    assert worst([PASS, ERROR, FAIL]) == FAIL and worst([]) == NO_RESULT


def test_a_replay_gives_the_same_verdicts(document, tmp_path):
    document["hosts"]["gpu001"]["checks"]["N-08"]["observed"]["limit"] = 0
    first = results.judged(copy.deepcopy(document)).verdicts
    stored.save(results.judged(document), tmp_path / "results.json")
    again = stored.read(tmp_path / "results.json")
    assert results.judged(again).verdicts == first
    assert json.loads((tmp_path / "results.json").read_text())["exit_code"] == 1


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda content: content["hosts"]["gpu002"].pop("steps"), "hosts/gpu002/steps is missing"),
        (lambda content: content["hosts"]["gpu002"].update(checks=[], said=None), "hosts/gpu002/said is no object"),
        (lambda content: content["hosts"].update(gpu002=7), "hosts/gpu002 is no object"),
        (lambda content: content["hosts"]["gpu002"]["steps"].update(host=7), "gpu002/steps/host is no object"),
        (lambda content: content["hosts"]["gpu002"]["checks"].update({"N-08": "x"}), "gpu002/checks/N-08 is no object"),
        (lambda content: content["hosts"]["gpu002"].update(refused="x"), "gpu002/refused is no object"),
        (lambda content: content["roster"][3].pop("unusable"), "roster/3/unusable is missing"),
        (lambda content: content["profiles"]["cpu"].pop("kind"), "profiles/cpu/kind is missing"),
        (lambda content: content["profiles"].pop("simulated"), "no profile is called so"),
        (lambda content: content.update(started="x"), "started is no number"),
        (lambda content: content.update(checks=[["N-08"]]), "checks/0 is no text"),
        (lambda content: content.update(accepted=[7]), "accepted is no object"),
        (lambda content: content.update(accepted={"gpu001": {"at": 1}}), "accepted/gpu001/observed is missing"),
        (lambda content: content.update(history={"gpu001": [7]}), "history/gpu001/0 is no object"),
        (lambda content: content["profiles"]["cpu"].update(match="("), "profiles/cpu/match is no regular expression"),
        (lambda content: content["settings"].pop("kind") and content.update(profiles={}), "profiles lack nvidia, amd"),
        (lambda content: content.update(hosts=dict.fromkeys("abcdefg", 7)), "hosts/e is no object; and 2 more"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(document, tmp_path, break_it, words):
    break_it(document)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document))
    with pytest.raises(CannotStart, match="is no results file of this suite") as refused:
        stored.read(path)
    assert words in str(refused.value)
