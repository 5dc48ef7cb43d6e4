"""Who lacks the plugin, and whether registering it would break their jobs."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.filter.registration import (
    nodes_by_host,
    oldest_slurm,
    registration_differs,
    registration_live,
    roster_gaps,
)
from ansible_collections.slipway.containers.plugins.module_utils import slurm_text

HOSTS = ["head", "login1", "c1", "c2"]


def node(name: str, **more: Any) -> dict[str, Any]:
    plain = {
        "hostname": name,
        "address": name,
        "state": "idle",
        "flags": [],
        "drained": False,
        "down": False,
        "reason": None,
    }
    return {"name": name, **plain, **more}


def gaps(
    roster: Any, *, proven: Any = HOSTS, absentees: Any = (), excused: Any = ()
) -> tuple[list[str], list[str], str]:
    found = roster_gaps(roster, HOSTS, proven, absentees, excused)
    return found["refused"], found["excused"], found["message"]


def absent(host: str, **more: Any) -> dict[str, Any]:
    return {"__pyxis_absentee": host, **more}


def test_everybody_proved_it() -> None:
    assert gaps([node("c1"), node("c2")]) == ([], [], "")
    assert gaps([]) == ([], [], "")


def test_slurmctld_is_dead() -> None:
    refused, excused, message = gaps(None)
    assert (refused, excused) == (["slurmctld"], [])
    assert "systemctl status slurmctld" in message
    assert "Nothing was registered" in message


def test_a_node_that_the_inventory_does_not_know() -> None:
    refused, excused, message = gaps([node("c1"), node("c9")])
    assert (refused, excused) == (["c9"], [])
    assert "would refuse every job: c9 is not in the inventory." in message
    assert "without --limit" in message


@pytest.mark.parametrize("key", ["hostname", "address"])
def test_a_node_that_slurm_calls_otherwise(key: str) -> None:
    assert gaps([node("node-1", **{key: "c1"})]) == ([], [], "")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"drained": True, "reason": "bad gpu"}, "drained"),
        ({"down": True, "state": "down"}, "down"),
        ({"flags": ["cloud", "powered_down"]}, "powered off"),
        ({"flags": ["POWERING_DOWN"]}, "powered off"),
        ({"state": "future"}, "powered off"),
    ],
)
def test_nodes_that_take_no_job_now(more: dict[str, Any], why: str) -> None:
    refused, excused, message = gaps([node("c9", **more)])
    assert (refused, excused) == ([], ["c9"])
    assert message.startswith("Converge these before they are resumed")
    assert "c9 is not in the inventory (%s)" % why in message


@pytest.mark.parametrize("more", [{"flags": ["not_responding"]}, {"flags": ["powering_up"]}, {"flags": None}])
def test_nodes_that_may_take_a_job_any_moment(more: dict[str, Any]) -> None:
    assert gaps([node("c9", **more)])[0] == ["c9"]


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (absent("c2", unreachable=True, msg="Failed to connect to the host via ssh"), "c2 cannot be reached"),
        (absent("c2", unreachable=True, proven=True), "c2 cannot be reached"),
        (absent("c2", proven=False, cause="the file is missing"), "c2 the file is missing"),
        (absent("c2", failed=True, msg="Python is too old"), "c2 Python is too old"),
        (absent("c2", skipped=True), "c2 has no proven plugin"),
        ({"item": "c2"}, "c2 has no proven plugin"),
    ],
)
def test_absentees(result: dict[str, Any], why: str) -> None:
    proven = [host for host in HOSTS if host != "c2"]
    refused, excused, message = gaps([node("c1"), node("c2")], proven=proven, absentees=[result])
    assert (refused, excused) == (["c2"], [])
    assert why in message
    assert gaps([node("c2", drained=True)], proven=proven, absentees=[result])[:2] == ([], ["c2"])


def test_an_absentee_that_has_the_plugin() -> None:
    assert gaps([node("c2")], proven=["head", "login1", "c1"], absentees=[absent("c2", proven=True)]) == ([], [], "")


def test_a_host_that_nobody_looked_at_is_not_taken_for_proven() -> None:
    refused, _excused, message = gaps([node("c2")], proven=["head", "login1", "c1"])
    assert refused == ["c2"]
    assert "c2 was not looked at" in message


def test_excused_hosts_are_listed() -> None:
    refused, excused, message = gaps([node("c1")], proven=["head", "c1", "c2"], excused=["login1"])
    assert (refused, excused) == ([], ["login1"])
    assert "login1 was not looked at (excused by pyxis_excused_hosts)" in message
    assert gaps([node("c9")], excused=["c9"])[:2] == ([], ["c9"])


def test_a_host_with_two_nodes_is_out_of_service_only_as_a_whole() -> None:
    def two(**more: Any) -> list[dict[str, Any]]:
        return [node("c2a", hostname="c2"), node("c2b", hostname="c2", **more)]

    gone = [absent("c2", unreachable=True)]
    assert gaps(two(drained=True), proven=["head", "login1", "c1"], absentees=gone)[0] == ["c2"]
    off = [{**entry, "down": True} for entry in two()]
    assert gaps(off, proven=["head", "login1", "c1"], absentees=gone)[:2] == ([], ["c2"])


def test_refused_hosts_come_before_those_that_are_let_off() -> None:
    _refused, _excused, message = gaps([node("c9"), node("c8", down=True)])
    assert "c9 is not in the inventory" in message
    assert "c8" not in message


def test_a_recorded_roster(recorded: Callable[[str], str]) -> None:
    roster = slurm_text.parse_nodes(recorded("slurm-24.11.5/show-nodes.txt"))
    # c2 is drained, c3 down and cloud1 powered down.
    assert gaps(roster, proven=HOSTS)[:2] == (["c4"], ["c3", "cloud1"])


SLURM = {
    "config": {"source": "configless"},
    "plugstack": {
        "file": "/run/slurm/conf/plugstack.conf",
        "registrations": [
            {"flag": "required", "plugin": "/x.so", "arguments": ["sbatch_support=1", "runtime_path=/run/pyxis"]}
        ],
    },
}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, False),
        ({"arguments": {"runtime_path": "/run/pyxis", "sbatch_support": 1}}, False),
        ({"arguments": {"runtime_path": "/run/pyxis"}}, True),
        ({"plugin": "/y.so"}, True),
    ],
)
def test_the_registration_of_a_host_that_fetches_it(change: dict[str, Any], differs: bool) -> None:
    wanted = {"plugin": "/x.so", "arguments": {"runtime_path": "/run/pyxis", "sbatch_support": True}, **change}
    assert registration_differs(SLURM, wanted["plugin"], wanted["arguments"]) is differs


def test_a_local_registration_is_compared_too() -> None:
    assert registration_differs({**SLURM, "config": {"source": "local"}}, "/y.so", {})


def test_a_host_without_a_configuration_differs_from_nothing() -> None:
    assert not registration_differs({**SLURM, "plugstack": {"file": None, "registrations": []}}, "/y.so", {})


def test_a_host_that_fetched_none_or_two_registrations() -> None:
    one = SLURM["plugstack"]["registrations"]  # type: ignore[index]
    for found in ([], [*one, *one]):
        slurm = {**SLURM, "plugstack": {"file": "/x", "registrations": found}}
        assert registration_differs(slurm, "/x.so", {"runtime_path": "/run/pyxis", "sbatch_support": True})


def test_a_short_name_of_slurm_is_a_full_name_of_the_inventory() -> None:
    roster = [node("c1")]
    assert nodes_by_host(roster, ["c1.example.com"]) == {"c1.example.com": roster}


def test_a_short_name_that_two_hosts_have_is_nobodys() -> None:
    roster = [node("c1")]
    assert nodes_by_host(roster, ["c1.a.example", "c1.b.example"]) == {"c1": roster}


@pytest.mark.parametrize("known_as", ["10.0.0.17", "node17", "node17.example.com"])
def test_a_host_that_the_inventory_calls_otherwise(known_as: str) -> None:
    roster = [node("node17", address="10.0.0.17")]
    assert nodes_by_host(roster, ["gpu017", "gpu018"], {"gpu017": known_as}) == {"gpu017": roster}


def test_its_own_name_comes_before_somebody_elses_address() -> None:
    roster = [node("c1")]
    assert nodes_by_host(roster, ["proxy", "c1"], {"proxy": "c1"}) == {"c1": roster}


def test_an_address_that_two_hosts_have_is_nobodys() -> None:
    roster = [node("c1", address="127.0.0.1")]
    assert nodes_by_host(roster, ["a", "b"], {"a": "127.0.0.1", "b": "127.0.0.1"}) == {"c1": roster}


def test_the_first_number_of_an_address_is_no_name() -> None:
    roster = [node("10")]
    assert nodes_by_host(roster, ["a"], {"a": "10.0.0.1"}) == {"10": roster}


@pytest.mark.parametrize(
    ("loaded", "plugin", "live"),
    [
        (["/1/x.so"], "/x.so", True),
        (None, "/x.so", True),
        (["/0/x.so"], "/x.so", False),
        ([], "/x.so", False),
        (["/1/x.so"], "/y.so", False),
    ],
)
def test_a_registration_is_live_once_slurmd_has_the_build(loaded: Any, plugin: str, live: bool) -> None:
    slurm = {**SLURM, "plugstack": {**SLURM["plugstack"], "loaded": loaded}}  # type: ignore[dict-item]
    wanted = {"runtime_path": "/run/pyxis", "sbatch_support": True}
    assert registration_live(slurm, plugin, wanted, "/1/x.so") is live


@pytest.mark.parametrize(
    ("series", "chosen"),
    [
        (["24.11", "24.11", "24.11"], "head"),
        (["26.05", "24.11", "24.11"], "c1"),
        (["24.11", None, "23.02"], "c2"),
        ([None, None, None], "head"),
    ],
)
def test_the_oldest_slurm_proves(series: list[str | None], chosen: str) -> None:
    # The preferred one need not come first.
    slurms = [{"series": series[1]}, {"series": series[0]}, {"series": series[2]}]
    assert oldest_slurm(["c1", "head", "c2"], slurms, "head") == chosen
