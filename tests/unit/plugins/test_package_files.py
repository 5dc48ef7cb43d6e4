"""The module package_files against an apt-get and a dnf that answer as recorded ones do."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import apt, packages
from ansible_collections.slipway.containers.plugins.modules import package_files

Run = Callable[..., dict[str, Any]]
Answer = tuple[int, str]


# Options of every call, tested once.
DROPPED = ("-o", "APT::Get::Upgrade-By-Source-Package=false", "--no-remove")


class Node:
    """Programs by their first words, each with a list of answers, the last of which stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {"dpkg-query": [(0, "")]}
        self.calls: list[str] = []

    def run_command(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        line = " ".join(
            word
            for word in command
            if not word.startswith(("Dpkg::Options", "DPkg::Lock", "--setopt=")) and word not in DROPPED
        )
        self.calls.append(line)
        for start, answers in self.answers.items():
            if line.startswith(start):
                code, text = answers.pop(0) if len(answers) > 1 else answers[0]
                return code, text, ""
        return 0, "", ""

    def changes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(("dpkg-query", "rpm --query"))]


def be(monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    monkeypatch.setattr(package_files, "system_facts", lambda: {"distribution": "Some Linux", "os_family": family})


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Node:
    """A node with apt."""
    node = Node()
    be(monkeypatch, "Debian")
    monkeypatch.setattr(AnsibleModule, "run_command", node.run_command)
    monkeypatch.setattr(packages, "DPKG_JOURNAL", str(tmp_path / "updates"))
    monkeypatch.setattr(packages, "LOCK_PAUSE", 0)
    return node


INSTALL = "apt-get -y --no-install-recommends install"


def test_everything_in_one_transaction(run_module: Run, node: Node, tmp_path: Path) -> None:
    deb = tmp_path / "enroot_4.1.2-1_amd64.deb"
    deb.touch()
    result = run_module("package_files", files=[str(deb)], packages=["jq"], delete_files=True)
    assert result["changed"]
    assert node.changes() == ["%s %s jq" % (INSTALL, deb)]
    assert not deb.exists()


def test_what_was_handed_over_is_written_first(run_module: Run, node: Node, tmp_path: Path) -> None:
    deb = tmp_path / "cache/enroot_4.1.2-1_amd64.deb"
    given = {"files": [str(deb)], "contents": {str(deb): base64.b64encode(b"!<arch>\xff").decode()}}
    assert run_module("package_files", check=True, **given)["changed"]
    assert not deb.parent.exists()
    result = run_module("package_files", **given)
    assert deb.read_bytes() == b"!<arch>\xff"
    assert deb.stat().st_mode & 0o777 == 0o644
    assert node.changes() == ["%s %s" % (INSTALL, deb)]
    # It is in no log.
    assert given["contents"][str(deb)] not in str(result)


def test_what_cannot_be_written_installs_nothing(run_module: Run, node: Node, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    deb = str(tmp_path / "file/x.deb")
    result = run_module("package_files", files=[deb], contents={deb: ""})
    assert result["msg"] == "%s cannot be written, nothing was installed: File exists" % deb
    assert node.calls == []


def test_again_although_it_is_installed(run_module: Run, node: Node) -> None:
    run_module("package_files", files=["/tmp/x.deb"], reinstall=True)
    assert node.changes() == ["apt-get -y --no-install-recommends --reinstall install /tmp/x.deb"]


def whole_command(monkeypatch: pytest.MonkeyPatch, node: Node, run_module: Run, **parameters: Any) -> str:
    """Return the last command with all its options."""
    commands: list[str] = []

    def run(command: list[str], **options: Any) -> tuple[int, str, str]:
        commands.append(" ".join(command))
        return node.run_command(command, **options)

    monkeypatch.setattr(AnsibleModule, "run_command", staticmethod(run))
    run_module("package_files", **parameters)
    return commands[-1]


def test_packages_never_cost_somebody_elses(monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node) -> None:
    """Nothing is removed, and apt 3 must not restart Slurm to bring its headers."""
    command = whole_command(monkeypatch, node, run_module, packages=["libslurm-dev=24.11*"])
    assert " --no-remove " in command and " -o APT::Get::Upgrade-By-Source-Package=false " in command
    assert command.endswith(" install libslurm-dev=24.11*")
    # enroot of one version may have to make room for another.
    assert "--no-remove" not in whole_command(monkeypatch, node, run_module, files=["/tmp/x.deb"])
    assert " --no-remove " in whole_command(monkeypatch, node, run_module, files=["/tmp/x.deb"], packages=["jq"])


def test_files_that_make_room_come_first(run_module: Run, node: Node) -> None:
    """What two transactions can do, one that must not remove anything cannot."""
    refused = (100, "E: Packages need to be removed but remove is disabled.\n")
    node.answers[INSTALL + " /tmp/x.deb jq"] = [refused]
    assert run_module("package_files", files=["/tmp/x.deb"], packages=["jq"])["changed"]
    assert node.changes() == [INSTALL + " /tmp/x.deb jq", INSTALL + " /tmp/x.deb", INSTALL + " jq"]


def test_check_mode_does_nothing(run_module: Run, node: Node) -> None:
    assert run_module("package_files", packages=["jq"], check=True)["changed"]
    assert node.calls == []


def test_nothing_to_install_is_nothing_to_do(run_module: Run, node: Node) -> None:
    assert not run_module("package_files", files=[], packages=[])["changed"]
    assert not run_module("package_files")["changed"]
    assert node.calls == []


def test_stale_lists_are_refreshed_once(run_module: Run, node: Node, recorded: Callable[[str], str]) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/not-found-404.txt")), (0, "")]
    assert run_module("package_files", packages=["good"])["changed"]
    assert node.changes() == [INSTALL + " good", "apt-get -y update", INSTALL + " good"]


UPDATE = "apt-get -y update"


@pytest.mark.case("N15")
@pytest.mark.parametrize("sign", ["mirror-in-sync", "hash-mismatch"])
def test_a_mirror_that_is_being_brought_up_to_date_is_given_a_while(
    monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node, recorded: Callable[[str], str], sign: str
) -> None:
    changing = recorded("apt-2.6.1/%s.txt" % sign)
    pauses: list[float] = []
    monkeypatch.setattr(apt.time, "sleep", pauses.append)
    # The package itself, then twice the lists, without which it is not known.
    unknown = (100, recorded("apt-2.6.1/unlocatable.txt"))
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/hash-mismatch.txt")), unknown, unknown, (0, "")]
    node.answers[UPDATE] = [(100, changing), (100, changing), (0, "")]
    assert run_module("package_files", packages=["jq"])["changed"]
    assert node.changes() == [INSTALL + " jq", *[UPDATE, INSTALL + " jq"] * 3]
    assert pauses == list(apt.MIRROR_PAUSES[:2])


@pytest.mark.case("N15")
@pytest.mark.parametrize("sign", ["mirror-in-sync", "hash-mismatch"])
def test_a_package_that_does_not_fit_whole_lists_is_given_a_while(
    monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node, recorded: Callable[[str], str], sign: str
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(apt.time, "sleep", pauses.append)
    # Both say the same of a list and of a package.
    torn = (100, recorded("apt-2.6.1/%s.txt" % sign).replace("/./Packages", "/./jq_1.6-2.1_amd64.deb"))
    node.answers[INSTALL] = [torn, torn, torn, (0, "")]
    assert run_module("package_files", packages=["jq"])["changed"]
    assert node.changes() == [INSTALL + " jq", *[UPDATE, INSTALL + " jq"] * 3]
    assert pauses == list(apt.MIRROR_PAUSES[:2])
    node.answers[INSTALL] = [torn]
    assert "a mirror is being changed, or is damaged: " in run_module("package_files", packages=["jq"])["msg"]


def test_a_torn_mirror_of_others_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node, recorded: Callable[[str], str]
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(apt.time, "sleep", pauses.append)
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt")), (0, "")]
    node.answers[UPDATE] = [(100, recorded("apt-2.6.1/mirror-in-sync.txt"))]
    assert run_module("package_files", packages=["jq"])["changed"]
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt")), (100, recorded("apt-2.6.1/disk-full.txt"))]
    assert "the disk is full" in run_module("package_files", packages=["jq"])["msg"]
    assert node.changes() == [INSTALL + " jq", UPDATE, INSTALL + " jq"] * 2
    assert pauses == []


@pytest.mark.case("N15")
def test_a_mirror_that_stays_torn_is_the_cause(
    monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node, recorded: Callable[[str], str]
) -> None:
    monkeypatch.setattr(apt.time, "sleep", lambda _seconds: None)
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt"))]
    node.answers[UPDATE] = [(100, recorded("apt-2.6.1/mirror-in-sync.txt"))]
    result = run_module("package_files", packages=["jq"])
    assert "cannot install jq: a mirror is being changed, or is damaged: http://" in result["msg"]
    assert node.changes().count(UPDATE) == 1 + len(apt.MIRROR_PAUSES)


def test_lists_that_somebody_else_refreshes_are_waited_for(
    run_module: Run, node: Node, recorded: Callable[[str], str]
) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt")), (0, "")]
    node.answers["apt-get -y update"] = [(100, recorded("apt-2.6.1/lock-lists.txt"))] * 3 + [(0, "")]
    assert run_module("package_files", packages=["nosuchpackage"])["changed"]
    assert node.calls.count("apt-get -y update") == 4


def test_lists_that_stay_locked_are_the_cause(run_module: Run, node: Node, recorded: Callable[[str], str]) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt"))]
    node.answers["apt-get -y update"] = [(100, recorded("apt-2.6.1/lock-lists.txt"))]
    result = run_module("package_files", packages=["nosuchpackage"], lock_timeout=0)
    assert result["failed"]
    assert "cannot install nosuchpackage: another package manager holds /var/lib/apt/lists/lock" in result["msg"]


def test_a_failure_names_what_was_wanted_and_why(
    run_module: Run, node: Node, recorded: Callable[[str], str], tmp_path: Path
) -> None:
    deb = tmp_path / "enroot_4.1.2-1_amd64.deb"
    deb.touch()
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/disk-full.txt"))]
    result = run_module("package_files", files=[str(deb)], packages=["jq"], delete_files=True)
    assert result["msg"].startswith("cannot install enroot_4.1.2-1_amd64.deb, jq: the disk is full")
    assert result["rc"] == 100
    assert "Unpacking big" in result["output"]
    assert deb.exists()
    assert "apt-get -y update" not in node.calls


@pytest.mark.case("N16")
def test_a_version_that_is_gone_fails_with_those_that_are_there(
    run_module: Run, node: Node, recorded: Callable[[str], str]
) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/no-such-version.txt"))]
    node.answers["apt-cache madison good"] = [(0, recorded("apt-2.6.1/madison.txt"))]
    result = run_module("package_files", packages=["good=3.0"])
    assert result["failed"] and result["msg"] == (
        "cannot install good=3.0: the node's apt sources have no good of version 3.0. "
        "They have: 2.36-9+deb12u14, 2.36-9+deb12u7."
    )
    assert not any(call.endswith("install good") for call in node.calls), "no other version is taken instead"


def test_apt_asks_one_repository_alone_where_one_is_carried(
    monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node, recorded: Callable[[str], str], tmp_path: Path
) -> None:
    """With its own lists: those of the node stay, which an ordinary `apt-get update` would clean away."""
    monkeypatch.setattr(AnsibleModule, "tmpdir", str(tmp_path))
    node.answers["apt-get -y --no-install"] = [(100, recorded("apt-2.6.1/unlocatable.txt")), (0, "")]
    run_module("package_files", packages=["jq"], repository="/srv/a b")
    tried, updated, again = node.changes()
    assert tried == again and tried.endswith(" install jq") and updated.endswith(" update")
    assert (tmp_path / "sources.list").read_text() == "deb [trusted=yes] file:/srv/a%20b ./\n"
    for line in (tried, updated):
        assert "Dir::Etc::sourcelist=%s/sources.list Dir::Etc::sourceparts=- " % tmp_path in line
        assert "Dir::State::lists=%s/lists " % tmp_path in line


def test_an_interrupted_dpkg_is_finished_first(run_module: Run, node: Node, tmp_path: Path) -> None:
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates/0001").touch()
    run_module("package_files", packages=["jq"])
    assert node.changes() == [
        "dpkg --force-confdef --force-confold --force-confmiss --configure -a",
        INSTALL + " jq",
    ]


def test_a_half_unpacked_package_of_ours_is_unpacked_again(run_module: Run, node: Node) -> None:
    node.answers["dpkg-query"] = [(0, "enroot\t4.1.2-1\tamd64\thalf-installed\treinstreq\n")]
    run_module("package_files", files=["/tmp/enroot_4.1.2-1_amd64.deb"])
    assert [call.split(" --")[-1] for call in node.changes()[:3]] == [
        "configure -a",
        "unpack /tmp/enroot_4.1.2-1_amd64.deb",
        "fix-broken install",
    ]


def test_what_is_half_unpacked_is_mended_from_the_repository_that_is_carried(
    monkeypatch: pytest.MonkeyPatch, run_module: Run, node: Node, tmp_path: Path
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **options: Any) -> tuple[int, str, str]:
        commands.append(command)
        return node.run_command(command, **options)

    monkeypatch.setattr(AnsibleModule, "tmpdir", str(tmp_path))
    monkeypatch.setattr(AnsibleModule, "run_command", staticmethod(run))
    node.answers["dpkg-query"] = [(0, "enroot\t4.1.2-1\tamd64\thalf-installed\treinstreq\n")]
    run_module("package_files", files=["/tmp/enroot_4.1.2-1_amd64.deb"], repository="/srv/carried")
    asked = [command for command in commands if command[0] == "apt-get"]
    assert [command[-1] for command in asked[:2]] == ["update", "install"], "without lists nothing can be mended"
    assert "Dir::State::lists=%s/lists" % tmp_path in asked[0]
    # Nothing of others is removed to make what is broken whole.
    assert {"--no-remove", "--fix-broken"} < set(asked[1])


def test_somebody_elses_broken_package_is_left_to_them(run_module: Run, node: Node) -> None:
    node.answers["dpkg-query"] = [(0, "nvidia-dkms-550\t1\tamd64\thalf-configured\tok\n")]
    run_module("package_files", files=["/tmp/enroot_4.1.2-1_amd64.deb"])
    assert not any("--unpack" in call for call in node.calls)
    assert node.changes()[-1].startswith(INSTALL)


def test_purging_what_is_there(run_module: Run, node: Node, recorded: Callable[[str], str]) -> None:
    node.answers["dpkg-query"] = [(0, "enroot\t4.1.2-1\tamd64\tinstalled\tok\n")]
    node.answers["dpkg --purge"] = [(2, recorded("apt-2.6.1/lock-dpkg.txt")), (0, "")]
    assert run_module("package_files", packages=["enroot+caps", "enroot"], state="absent")["changed"]
    assert node.changes() == ["dpkg --purge enroot"] * 2


def test_removing_leaves_what_a_purge_would_delete(run_module: Run, node: Node) -> None:
    node.answers["dpkg-query"] = [(0, "docker.io\t26.1.5\tamd64\tinstalled\tok\n")]
    assert run_module("package_files", packages=["docker.io"], state="absent", purge=False)["changed"]
    assert node.changes() == ["dpkg --remove docker.io"]


def test_what_others_need_is_said_before_anything_is_taken_apart(
    run_module: Run, node: Node, recorded: Callable[[str], str]
) -> None:
    node.answers["dpkg-query"] = [(0, "libnghttp2-14\t1.52.0\tamd64\tinstalled\tok\n")]
    options: dict[str, Any] = {"packages": ["libnghttp2-14"], "state": "removable", "purge": False}
    assert not run_module("package_files", **options)["changed"]
    node.answers["dpkg --no-act"] = [(1, recorded("apt-2.6.1/needed.txt"))]
    told = run_module("package_files", check=True, **options)["msg"]
    assert told.startswith("cannot remove libnghttp2-14: libcurl4:amd64 depends on libnghttp2-14 (>= 1.50.0). libcurl3")
    assert told.endswith(
        "Remove what needs libnghttp2-14 first, by hand, then run again: nothing of others is removed."
    )
    assert node.changes() == ["dpkg --no-act --remove libnghttp2-14"] * 2
    node.answers["dpkg-query"] = [(0, "")]
    assert not run_module("package_files", **options).get("failed")


def test_purging_what_is_not_there(run_module: Run, node: Node) -> None:
    assert not run_module("package_files", packages=["enroot"], state="absent")["changed"]
    assert node.changes() == []


def test_purging_in_check_mode(run_module: Run, node: Node) -> None:
    node.answers["dpkg-query"] = [(0, "enroot\t4.1.2-1\tamd64\thalf-configured\tok\n")]
    assert run_module("package_files", packages=["enroot"], state="absent", check=True)["changed"]
    assert node.changes() == []


def test_a_family_that_nobody_knows(run_module: Run, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, "Archlinux")
    result = run_module("package_files", packages=["jq"])
    assert result["msg"] == (
        "Some Linux is of the family Archlinux, and packages are installed only on those of Debian and RedHat"
    )


# dnf

RPM = "/tmp/enroot-4.1.2-1.el8.x86_64.rpm"
DNF = "dnf -y install"


@pytest.fixture
def rocky(node: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node with dnf, and one file of enroot."""
    be(monkeypatch, "RedHat")
    node.answers = {
        "rpm --query --package": [(0, "enroot\t4.1.2-1.el8\tx86_64\n")],
        "rpm --query": [(1, "package enroot is not installed\n")],
    }
    return node


@pytest.mark.case("E14")
def test_dnf_in_one_transaction(run_module: Run, rocky: Node) -> None:
    assert run_module("package_files", files=[RPM], packages=["jq"])["changed"]
    assert rocky.changes() == ["%s %s jq" % (DNF, RPM)]


@pytest.mark.case("N17")
def test_dnf_asks_one_repository_alone_where_one_is_carried(run_module: Run, rocky: Node) -> None:
    run_module("package_files", packages=["jq"], repository="/srv/a b")
    carried = "--repofrompath=slipway-carried,file:///srv/a%20b --repo=slipway-carried"
    assert rocky.changes() == ["dnf -y %s install jq" % carried]


def test_dnf_never_downgrades(run_module: Run, rocky: Node) -> None:
    rocky.answers["rpm --query"] = [(0, "enroot\t4.2.0-1.el8\tx86_64\n")]
    told = run_module("package_files", files=[RPM])["msg"]
    assert told == (
        "cannot install enroot-4.1.2-1.el8.x86_64.rpm: enroot 4.2.0-1.el8 is installed, and nothing is downgraded"
    )
    assert rocky.changes() == []


def test_dnf_unpacks_again_what_is_there(run_module: Run, rocky: Node) -> None:
    rocky.answers["rpm --query"] = [(0, "enroot\t4.1.2-1.el8\tx86_64\n")]
    run_module("package_files", files=[RPM])
    assert rocky.changes() == []
    run_module("package_files", files=[RPM], reinstall=True)
    assert rocky.changes() == ["dnf -y reinstall " + RPM]


def test_dnf_unpacks_packages_of_a_repository_again(run_module: Run, rocky: Node) -> None:
    """Files of runc are gone; docker is there as well, and what is not is only installed."""
    there = {"docker-25.0-1": (0, "docker\t25.0-1\tx86_64\n"), "runc": (0, "runc\t1.2-1\tx86_64\n")}
    rocky.answers = {**{"rpm --query " + name: [answer] for name, answer in there.items()}, **rocky.answers}
    run_module("package_files", packages=["docker-25.0-1", "x", "runc"])
    assert rocky.changes() == [DNF + " docker-25.0-1 x runc"]
    run_module("package_files", packages=["docker-25.0-1", "x", "runc"], reinstall=True)
    assert rocky.changes()[1:] == [DNF + " docker-25.0-1 x runc", "dnf -y reinstall docker-25.0-1 runc"]


@pytest.mark.parametrize("case", ["unlocatable", "unmet-missing", "not-found-404", "file-gone"])
def test_dnf_reads_repositories_anew_once(
    run_module: Run, rocky: Node, recorded: Callable[[str], str], case: str
) -> None:
    rocky.answers[DNF] = [(1, recorded("dnf-4.14.0/%s.txt" % case))]
    assert run_module("package_files", packages=["jq"])["changed"]
    assert rocky.changes() == [DNF + " jq", "dnf -y --refresh install jq"]


@pytest.mark.case("N5")
@pytest.mark.parametrize("case", ["lock-dnf", "lock-rpm"])
def test_dnf_waits_for_another_one(run_module: Run, rocky: Node, recorded: Callable[[str], str], case: str) -> None:
    rocky.answers[DNF] = [(200, recorded("dnf-4.14.0/%s.txt" % case))] * 3 + [(0, "")]
    assert run_module("package_files", packages=["jq"])["changed"]
    assert rocky.changes() == [DNF + " jq"] * 4
    rocky.answers[DNF] = [(200, recorded("dnf-4.14.0/%s.txt" % case))]
    result = run_module("package_files", packages=["jq"], lock_timeout=0)
    assert result["msg"].startswith("cannot install jq: another package manager holds ")


def test_dnf_with_a_damaged_file(run_module: Run, rocky: Node, recorded: Callable[[str], str]) -> None:
    rocky.answers["rpm --query --package"] = [(1, recorded("dnf-4.14.0/query-cut.txt"))]
    told = run_module("package_files", files=[RPM])["msg"]
    assert told == "cannot read %s: the package file cut-1.0-1.noarch.rpm is damaged." % RPM
    assert rocky.changes() == []


def test_dnf_says_that_a_script_failed(
    run_module: Run, rocky: Node, recorded: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: told.append(text))
    rocky.answers[DNF] = [(0, recorded("dnf-4.14.0/badpost.txt"))]
    assert run_module("package_files", packages=["badpost"])["changed"]
    assert told == ["badpost is installed, and its scriptlet POSTIN failed"]


def test_rpm_erases_what_is_there_and_waits_for_its_lock(
    run_module: Run, rocky: Node, recorded: Callable[[str], str]
) -> None:
    rocky.answers["rpm --query"] = [(1, recorded("dnf-4.14.0/query-twice.txt"))]
    rocky.answers["rpm --erase"] = [(1, recorded("dnf-4.14.0/lock-erase.txt")), (0, "")]
    assert run_module("package_files", packages=["pair-b", "absent", "pair-a"], state="absent")["changed"]
    assert rocky.changes() == ["rpm --erase --allmatches pair-a pair-b"] * 2


def test_rpm_says_what_others_need(run_module: Run, rocky: Node, recorded: Callable[[str], str]) -> None:
    rocky.answers["rpm --query"] = [(0, "pair-a\t2.0-1\tnoarch\n")]
    assert not run_module("package_files", packages=["pair-a"], state="removable")["changed"]
    assert rocky.changes() == ["rpm --erase --test --allmatches pair-a"]
    rocky.answers["rpm --erase --test"] = [(1, recorded("dnf-4.14.0/erase-needed.txt"))]
    assert "is needed by" in run_module("package_files", packages=["pair-a"], state="removable")["msg"]


def test_rpm_erases_nothing_that_others_need(run_module: Run, rocky: Node, recorded: Callable[[str], str]) -> None:
    rocky.answers["rpm --query"] = [(0, "pair-a\t2.0-1\tnoarch\n")]
    rocky.answers["rpm --erase"] = [(1, recorded("dnf-4.14.0/erase-needed.txt"))]
    told = run_module("package_files", packages=["pair-a"], state="absent")["msg"]
    assert told == (
        "cannot remove pair-a: pair-a = 2.0 is needed by (installed) pair-b-2.0-1.noarch, "
        "and nothing of others is removed."
    )


@pytest.mark.parametrize("fails", [False, True])
def test_units_are_masked_while_their_packages_are_installed(run_module: Run, node: Node, fails: bool) -> None:
    node.answers["apt-get"] = [(100 if fails else 0, "E: nothing known")]
    node.answers["systemctl is-active"] = [(3, "")]
    result = run_module("package_files", packages=["docker.io"], not_started=["docker.service", "docker.socket"])
    assert bool(result.get("failed")) == fails
    units = "--runtime docker.service docker.socket"
    asked = "systemctl is-active --quiet docker.socket"
    assert node.changes() == [asked, "systemctl mask " + units, INSTALL + " docker.io", "systemctl unmask " + units]


def test_a_socket_that_listens_is_not_masked(run_module: Run, node: Node) -> None:
    """systemd would close it, and its service cannot be started again without it."""
    node.answers["systemctl is-active"] = [(0, "")]
    run_module("package_files", packages=["docker.io"], not_started=["docker.service", "docker.socket"])
    masks = [call for call in node.changes() if "mask " in call]
    assert masks == ["systemctl mask --runtime docker.service", "systemctl unmask --runtime docker.service"]


def test_packages_are_held_afterwards(run_module: Run, node: Node) -> None:
    node.answers["apt-mark showhold"] = [(0, "")]
    wanted = {"packages": ["one=1.20-1", "other"], "files": ["/tmp/two_1.20-1_all.deb"]}
    run_module("package_files", **wanted, hold=["one", "two"])
    assert node.changes() == [
        "apt-mark showhold one two",
        INSTALL + " /tmp/two_1.20-1_all.deb one=1.20-1 other",
        "apt-mark hold one two",
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_held_is_released_meanwhile(run_module: Run, node: Node, fails: bool) -> None:
    """With apt's own --allow-change-held-packages what an admin holds would be changed as well."""
    node.answers = {"apt-mark showhold": [(0, "two\n")], "apt-get": [(100 if fails else 0, "E: nothing known")]}
    result = run_module("package_files", packages=["one", "two"], hold=["one", "two"])
    assert bool(result.get("failed")) == fails
    held_again = ["apt-mark hold two"] if fails else ["apt-mark hold two", "apt-mark hold one two"]
    assert node.changes()[1:] == ["apt-mark unhold two", INSTALL + " one two", *held_again]


# As the role apptainer has it.
JUDGED = {
    "package": "one",
    "denied": [{"version": "1.5.0", "reason": "it bites"}],
    "minimum": {"version": "1.4.5", "reason": "it leaks", "link": "https://x"},
    "remedy": "do this",
}


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.4.3-1", "it is too old: it leaks (https://x). Allowed is 1.4.5 or newer: do this."),
        ("1.5.0+ds1-1", "it is denied: it bites. Allowed is any other version: do this."),
        ("1.4.5-1", ""),
    ],
)
@pytest.mark.parametrize("family", ["Debian", "RedHat"])
def test_what_a_repository_has_is_judged_once_it_is_there(
    run_module: Run, node: Node, monkeypatch: pytest.MonkeyPatch, family: str, version: str, said: str
) -> None:
    be(monkeypatch, family)
    node.answers = {"dpkg-query": [(0, f"one\t{version}\tall\tinstalled\tok\tinstall\n")]}
    node.answers["rpm --query"] = [(0, f"one\t{version}\tnoarch\n")]
    result = run_module("package_files", packages=["one"], judged=[JUDGED])
    assert result.get("msg", "").partition("repositories have, and ")[2] == said
    assert bool(result.get("failed")) is bool(said)


def test_a_hold_that_fails_is_said(run_module: Run, node: Node) -> None:
    node.answers["apt-mark hold"] = [(100, "E: No packages found\n")]
    assert run_module("package_files", packages=["one"], hold=["one"])["msg"] == "cannot hold one: E: No packages found"


def test_dnf_holds_by_a_plugin_that_it_fetches_where_it_lacks_it(run_module: Run, rocky: Node) -> None:
    rocky.answers["rpm --query"] = [(0, "one\t1.20-1\tx86_64\n")]
    lock, missing = "dnf -y versionlock add one", "No such command: versionlock. Please use /usr/bin/dnf --help\n"
    rocky.answers = {lock: [(1, missing), (0, "")], "dnf -y versionlock delete": [(1, missing)], **rocky.answers}
    run_module("package_files", packages=["one-1.20-1"], hold=["one"])
    assert rocky.changes() == [
        "dnf -y versionlock delete one",
        DNF + " one-1.20-1",
        lock,
        DNF + " dnf-command(versionlock)",
        lock,
    ]
    rocky.answers[lock] = [(1, "no\n")]
    assert run_module("package_files", packages=["one-1.20-1"], hold=["one"])["msg"] == "cannot hold the packages: no"


def test_dnf_lets_go_of_what_it_removes(run_module: Run, rocky: Node, tmp_path: Path, monkeypatch: Any) -> None:
    rocky.answers["rpm --query"] = [(0, "one\t1.20-1\tx86_64\n")]
    monkeypatch.setattr(packages, "VERSIONLOCK", str(tmp_path / "versionlock.list"))
    run_module("package_files", packages=["one"], state="absent")
    (tmp_path / "versionlock.list").write_text("one-0:1.20-1.*\ntwo-0:1-1.*\n")
    run_module("package_files", packages=["one"], state="absent")
    erase = "rpm --erase --allmatches one"
    assert rocky.changes() == [erase, erase, "dnf -y versionlock delete one"]


def test_dnf_locks_again_what_was_locked_where_it_fails(
    run_module: Run, rocky: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rocky.answers["rpm --query"] = [(0, "one\t1.20-1\tx86_64\n")]
    rocky.answers[DNF] = [(1, "Error: nothing known")]
    monkeypatch.setattr(packages, "VERSIONLOCK", str(tmp_path / "versionlock.list"))
    (tmp_path / "versionlock.list").write_text("one-0:1.20-1.*\n")
    assert run_module("package_files", packages=["one-1.21", "two"], hold=["one", "two"])["failed"]
    assert rocky.changes()[1:] == [DNF + " one-1.21 two", "dnf -y versionlock add one"]


def test_dnf_locks_those_that_are_to_be_held(run_module: Run, rocky: Node) -> None:
    rocky.answers = {"rpm --query one": [(0, "one\t1.20-1\tnoarch\n")], **rocky.answers}
    run_module("package_files", packages=["one-1.20", "other"], hold=["one"])
    assert [line.removeprefix("dnf -y ") for line in rocky.changes()] == [
        "versionlock delete one",
        "install one-1.20 other",
        "versionlock add one",
    ]
