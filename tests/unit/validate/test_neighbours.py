"""N-34: whose fault it is that a name does not lead to its node, and where no name leads to any."""

from __future__ import annotations

from tests.unit.validate.test_checks import judge
from validate.model import FAIL, PASS, WARN


def ring(count, **found):
    """Return what so many nodes see, of which each looks up the next two; ``found`` is what asker_name got instead."""
    fleet = {}
    for at in range(count):
        names = [(at + step) % count for step in (1, 2)]
        fleet[f"n{at}"] = {
            "name": f"n{at}",
            "own": [f"10.0.0.{at}", "172.17.0.1", f"fd00::{at}"],
            "neighbours": {f"n{n}": found.get(f"n{at}_n{n}", [f"10.0.0.{n}"]) for n in names},
        }
    return fleet


def status(fleet):
    """Return what is not well: node -> status."""
    found = {name: judge("N-34", seen, fleet=fleet, node=name).status for name, seen in fleet.items()}
    return {name: said for name, said in found.items() if said != PASS}


def test_where_all_who_ask_for_a_node_are_led_elsewhere_that_node_has_the_fault_and_not_they():
    fleet = ring(6, n0_n2=["10.0.7.7"], n1_n2=["10.0.7.7"])
    assert status(fleet) == {"n2": FAIL}
    finding = judge("N-34", fleet["n2"], fleet=fleet, node="n2")
    assert finding.observed == "n2: 10.0.7.7" and finding.expected == "10.0.0.2, fd00::2"
    assert "other nodes do not find this node" in finding.cause and "getent ahosts n2" in finding.fix


def test_nodes_that_find_nobody_say_nothing_of_the_node_after_them():
    broken = {f"n{at}_n{at + step}": [] for at in (1, 2) for step in (1, 2)}
    assert status(ring(8, **broken)) == {"n1": FAIL, "n2": FAIL}


def test_the_same_address_on_all_nodes_leads_to_none():
    assert status(ring(4, n0_n1=["172.17.0.1"])) == {"n0": FAIL}


def test_one_family_that_leads_is_enough_and_silence_says_nothing():
    assert status(ring(4, n0_n1=["192.0.2.1", "fd00::1"], n1_n2=None)) == {}


def test_where_no_name_leads_to_a_node_nobody_is_to_blame():
    assert status({name: {**seen, "own": ["192.168.7.1"]} for name, seen in ring(4).items()}) == {}
    nameless = {f"n{at}_n{(at + step) % 6}": [] for at in range(6) for step in (1, 2)}
    assert status(ring(6, **nameless)) == {}
    # One of them has a list of its own.
    known = {key: found for key, found in nameless.items() if not key.startswith("n0_")}
    assert set(status(ring(6, **known)).values()) == {WARN}


def test_of_two_nodes_the_one_that_asks_is_named_and_garbage_of_a_third_is_left_out():
    fleet = ring(2, n0_n1=[])
    fleet["n0"]["neighbours"], fleet["n1"]["neighbours"] = {"n1": []}, {"n0": ["10.0.0.0"]}
    assert status(fleet) == {"n0": FAIL}
    assert judge("N-34", fleet["n0"], fleet={**fleet, "n2": {"name": "n2", "own": None}}, node="n0").status == FAIL
