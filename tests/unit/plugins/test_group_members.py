"""Who is put into a group and who is taken out."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import command
from ansible_collections.slipway.containers.plugins.module_utils import group_members as tools
from ansible_collections.slipway.containers.plugins.modules import group_members as module

ACCOUNTS = {"alice": 1001, "bob": 1002, "carol": 104}
GROUP = tools.Group("docker", 104, ("bob",))
Run = Callable[..., dict[str, Any]]


def judge(wanted: list[str], group: tools.Group = GROUP, local: tools.Group | None = GROUP, **options: bool):
    return tools.judge(wanted, group, local, ACCOUNTS.get, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root:x:0:\ndocker:x:104:a,b\n", tools.Group("docker", 104, ("a", "b"))),
        ("docker:x:104:\n", tools.Group("docker", 104, ())),
        ("docker2:x:104:\nnot a line\n+docker:::\n", None),
        ("", None),
    ],
)
def test_local_group(text: str, expected: tools.Group | None) -> None:
    assert tools.local_group(text, "docker") == expected


@pytest.mark.case("I16")
def test_who_is_missing_is_added_once() -> None:
    assert judge(["alice", "bob", "alice"]) == tools.Judgement(add=["alice"])


def test_whose_own_group_it_is_needs_nothing() -> None:
    assert judge(["carol"]) == tools.Judgement()


def test_an_unknown_account_is_named() -> None:
    assert judge(["ghost", "alice"]) == tools.Judgement(add=["alice"], unknown=["ghost"])


@pytest.mark.case("I16")
def test_others_stay_unless_it_is_exclusive() -> None:
    assert judge(["alice"]).remove == []
    assert judge(["alice"], exclusive=True).remove == ["bob"]
    assert judge([], exclusive=True).remove == ["bob"]


def test_absent_takes_out_the_listed_members() -> None:
    assert judge(["alice", "bob", "ghost"], present=False) == tools.Judgement(remove=["bob"])


@pytest.mark.case("U3")
def test_a_group_of_a_directory_service_is_left_alone() -> None:
    group = tools.Group("docker", 6000, ("bob", "dave"))
    found = judge(["alice", "bob"], group, None, exclusive=True)
    assert (found.add, found.remove) == ([], [])
    assert len(found.notes) == 2
    assert "docker (6000)" in found.notes[0] and "add alice there" in found.notes[0]
    assert "remove dave there" in found.notes[1]
    assert judge(["bob"], group, None) == tools.Judgement()
    assert judge(["bob"], group, None, present=False) == tools.Judgement()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path) -> list[list[str]]:
    """A node with a group of its own; returns the calls of its programs."""
    calls: list[list[str]] = []
    (tmp_path / "group").write_text("docker:x:104:bob\n")
    monkeypatch.setattr(module, "GROUPS", str(tmp_path / "group"))
    monkeypatch.setattr(module, "resolved", lambda name: group_after(calls) if name == "docker" else None)
    monkeypatch.setattr(module, "primary_of", ACCOUNTS.get)
    monkeypatch.setattr(
        command, "run", lambda arguments, _seconds: calls.append(list(arguments)) or command.Output(0, "", "")
    )
    return calls


def group_after(calls: list[list[str]]) -> tools.Group:
    """Return what the name service says after gpasswd's calls."""
    members = set(GROUP.members)
    for program, option, name, *_group in calls:
        if program == "gpasswd":
            members = members | {name} if option == "--add" else members - {name}
    return tools.Group(GROUP.name, GROUP.number, tuple(sorted(members)))


@pytest.mark.case("U1")
def test_the_module_adds_and_removes(run_module: Run, node: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    # Ansible itself forgets a warning that was given before in the same process.
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    options = {"group": "docker", "members": ["alice", "ghost"], "exclusive": True}
    foretold = run_module("group_members", check=True, **options)
    assert not node
    result = run_module("group_members", **options)
    assert node == [["gpasswd", "--add", "alice", "docker"], ["gpasswd", "--delete", "bob", "docker"]]
    assert foretold == result
    assert (result["changed"], result["added"], result["removed"], result["unknown"]) == (
        True, ["alice"], ["bob"], ["ghost"],
    )  # fmt: skip
    assert result["diff"] == {"before": "bob\n", "after": "alice\n"}
    assert "ghost: no such account" in warnings[-1]


@pytest.mark.case("U3")
def test_the_module_leaves_what_is_right(run_module: Run, node: list[list[str]]) -> None:
    result = run_module("group_members", group="docker", members=["bob"], number=4321)
    assert (result["changed"], result["number"], node) == (False, 104, [])


def test_the_module_makes_a_group_only_with_a_number(run_module: Run, node: list[list[str]]) -> None:
    assert not run_module("group_members", group="new", members=["alice"])["changed"]
    assert run_module("group_members", group="new", members=["alice"], check=True)["changed"]
    assert not node
    assert run_module("group_members", group="new", number=4321)["changed"]
    assert node == [["groupadd", "--system", "--gid", "4321", "new"]]


@pytest.mark.parametrize(
    ("options", "taken", "number"),
    [
        ({}, False, []),
        ({"preferred_number": 996}, False, ["--gid", "996"]),
        # A member short of a number is better off than a run that ends.
        ({"preferred_number": 996}, True, []),
        ({"preferred_number": 996, "number": 4321}, False, ["--gid", "4321"]),
    ],
)
def test_a_deleted_group_is_made_again(
    run_module: Run,
    node: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, int],
    taken: bool,
    number: list[str],
) -> None:
    monkeypatch.setattr(module, "taken", lambda _number: taken)
    arguments = {"group": "gone", "members": ["alice"], "create": True, **options}
    assert run_module("group_members", check=True, **arguments)["changed"]
    assert not node
    run_module("group_members", **arguments)
    assert node[0] == ["groupadd", "--system", *number, "gone"]


def test_which_numbers_are_taken() -> None:
    assert module.taken(0) and not module.taken(2**31 - 7)


@pytest.mark.case("U2")
def test_an_account_of_a_directory_service_joins_a_group_of_the_node(
    run_module: Run, node: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By contract: sssd's accounts are in no file of the node, and only the name service knows them."""
    monkeypatch.setattr(module, "primary_of", {"dave@corp.example": 70001}.get)
    result = run_module("group_members", group="docker", members=["dave@corp.example"])
    assert (result["added"], result["unknown"]) == (["dave@corp.example"], [])
    assert node == [["gpasswd", "--add", "dave@corp.example", "docker"]]
    assert not run_module("group_members", group="docker", members=["dave@corp.example"])["changed"]


@pytest.mark.case("U2")
def test_a_member_whom_the_name_service_does_not_show_is_said(
    run_module: Run, node: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    monkeypatch.setattr(module, "resolved", lambda _name: GROUP)
    assert run_module("group_members", group="docker", members=["alice"])["added"] == ["alice"]
    assert "alice: in group docker of" in warnings[-1] and "getent group docker" in warnings[-1]


@pytest.mark.case("U3")
def test_a_number_that_another_group_has_is_told(
    run_module: Run, node: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = command.Output(4, "", "groupadd: GID '4321' already exists\n")
    monkeypatch.setattr(command, "run", lambda _arguments, _seconds: said)
    result = run_module("group_members", group="new", number=4321)
    assert result["failed"] and "GID '4321' already exists" in result["msg"]


@pytest.mark.case("U4")
@pytest.mark.parametrize(
    "name", ["-a", "a b", "a:b", "", "a,b", "a;b", "a\r", "# a", "1001", "$(a)", "a\nb", ".", ".."]
)
def test_odd_names_are_refused(run_module: Run, node: list[list[str]], name: str) -> None:
    assert "is not the name of an account" in run_module("group_members", group="docker", members=[name])["msg"]
    assert not node


@pytest.mark.parametrize("name", ["0abc12", "ada.l", "CORP\\ada", "ada@corp.example", "host$", "_ada", "Ada", "käthe"])
def test_names_of_directory_services_are_names(name: str) -> None:
    assert tools.name_problem(name) == ""
