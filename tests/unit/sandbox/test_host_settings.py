from cluster import firewall, removal
from cluster.host_settings import FORWARDING, INSTANCES, hold, needed, release

CURRENT = {INSTANCES: "128", FORWARDING: "0"}


def test_a_small_sandbox_raises_nothing_and_a_large_one_does():
    assert needed(4, CURRENT) == {FORWARDING: "1"}
    assert needed(34, CURRENT) == {FORWARDING: "1", INSTANCES: "8192"}
    assert needed(34, {INSTANCES: "8192", FORWARDING: "1"}) == {}


def test_the_first_value_is_given_back_after_the_last_sandbox():
    record = hold({}, "a", {INSTANCES: "8192"}, CURRENT)
    record = hold(record, "b", {}, {INSTANCES: "8192", FORWARDING: "1"})
    record, free = release(record, "a")
    assert free == {}
    record, free = release(record, "b")
    assert record == {}
    assert free == {INSTANCES: {"was": "128", "set": "8192", "holders": []}}


def test_holding_twice_is_holding_once():
    once = hold({}, "a", {FORWARDING: "1"}, CURRENT)
    assert hold(once, "a", {}, CURRENT) == once


NAT = """\
-P PREROUTING ACCEPT
-N NETAVARK-HOSTPORT-DNAT
-N NETAVARK-HOSTPORT-SETMARK
-A PREROUTING -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT
-A NETAVARK-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
"""
IN_USE = """\
-N NETAVARK-3BD4C181F873C
-A POSTROUTING -s 10.89.2.0/24 -j NETAVARK-3BD4C181F873C
-A NETAVARK-3BD4C181F873C -d 10.89.2.0/24 -j ACCEPT
-A NETAVARK-3BD4C181F873C ! -d 224.0.0.0/4 -j MASQUERADE
"""


def test_empty_chains_are_unhooked_emptied_and_removed():
    commands = [" ".join(command[4:]) for command in firewall.leftover_commands("nat", NAT)]
    assert commands == [
        "-D PREROUTING -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT",
        "-F NETAVARK-HOSTPORT-DNAT",
        "-F NETAVARK-HOSTPORT-SETMARK",
        "-X NETAVARK-HOSTPORT-DNAT",
        "-X NETAVARK-HOSTPORT-SETMARK",
    ]


def test_a_comment_loses_its_quotes():
    rules = '-N NETAVARK_FORWARD\n-A FORWARD -m comment --comment "netavark rules" -j NETAVARK_FORWARD\n'
    first = firewall.leftover_commands("filter", rules)[0]
    assert first[4:] == ["-D", "FORWARD", "-m", "comment", "--comment", "netavark rules", "-j", "NETAVARK_FORWARD"]


def test_chains_of_a_network_in_use_are_left_alone():
    assert firewall.leftover_commands("nat", NAT + IN_USE) == []


def test_what_a_killed_podman_left_of_one_network_is_removed():
    other = "-A POSTROUTING -s 10.89.9.0/24 -j NETAVARK-AAAABBBBCCCCD\n"
    commands = [" ".join(command[4:]) for command in removal.subnet_rules("nat", IN_USE + other, "10.89.2.0/24")]
    assert commands == [
        "-D POSTROUTING -s 10.89.2.0/24 -j NETAVARK-3BD4C181F873C",
        "-F NETAVARK-3BD4C181F873C",
        "-X NETAVARK-3BD4C181F873C",
    ]


def test_a_namespace_is_known_by_its_address():
    inside = "2: eth0    inet 10.89.2.11/24 brd 10.89.2.255 scope global eth0"
    assert removal.in_subnet("10.89.2.0/24", inside)
    assert not removal.in_subnet("10.89.3.0/24", inside)
    assert not removal.in_subnet("10.89.3.0/24", "")
