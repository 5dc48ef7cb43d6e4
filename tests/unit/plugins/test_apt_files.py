"""The module apt_files against an apt-get that answers as recorded ones do."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import packages
from ansible_collections.slipway.containers.plugins.modules import apt_files

Run = Callable[..., dict[str, Any]]
Answer = tuple[int, str]


class Node:
    """Programs by their first words, each with a list of answers, the last of which stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {"dpkg-query": [(0, "")]}
        self.calls: list[str] = []

    def run_command(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        line = " ".join(
            word for word in command if not word.startswith(("Dpkg::Options", "DPkg::Lock")) and word != "-o"
        )
        self.calls.append(line)
        for start, answers in self.answers.items():
            if line.startswith(start):
                code, text = answers.pop(0) if len(answers) > 1 else answers[0]
                return code, text, ""
        return 0, "", ""

    def changes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("dpkg-query")]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Node:
    node = Node()
    monkeypatch.setattr(AnsibleModule, "run_command", node.run_command)
    monkeypatch.setattr(packages, "DPKG_JOURNAL", str(tmp_path / "updates"))
    monkeypatch.setattr(apt_files, "LOCK_PAUSE", 0)
    return node


INSTALL = "apt-get -y --no-install-recommends install"


def test_everything_in_one_transaction(run_module: Run, node: Node, tmp_path: Path) -> None:
    deb = tmp_path / "enroot_4.1.2-1_amd64.deb"
    deb.touch()
    result = run_module("apt_files", files=[str(deb)], packages=["jq"], delete_files=True)
    assert result["changed"]
    assert node.changes() == ["%s %s jq" % (INSTALL, deb)]
    assert not deb.exists()


def test_what_was_handed_over_is_written_first(run_module: Run, node: Node, tmp_path: Path) -> None:
    deb = tmp_path / "cache/enroot_4.1.2-1_amd64.deb"
    given = {"files": [str(deb)], "contents": {str(deb): base64.b64encode(b"!<arch>\xff").decode()}}
    assert run_module("apt_files", check=True, **given)["changed"]
    assert not deb.parent.exists()
    result = run_module("apt_files", **given)
    assert deb.read_bytes() == b"!<arch>\xff"
    assert deb.stat().st_mode & 0o777 == 0o644
    assert node.changes() == ["%s %s" % (INSTALL, deb)]
    # It is in no log.
    assert given["contents"][str(deb)] not in str(result)


def test_what_cannot_be_written_installs_nothing(run_module: Run, node: Node, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    deb = str(tmp_path / "file/x.deb")
    result = run_module("apt_files", files=[deb], contents={deb: ""})
    assert result["msg"] == "%s cannot be written, nothing was installed: File exists" % deb
    assert node.calls == []


def test_again_although_it_is_installed(run_module: Run, node: Node) -> None:
    run_module("apt_files", files=["/tmp/x.deb"], reinstall=True)
    assert node.changes() == ["apt-get -y --no-install-recommends --reinstall install /tmp/x.deb"]


def test_check_mode_does_nothing(run_module: Run, node: Node) -> None:
    assert run_module("apt_files", packages=["jq"], check=True)["changed"]
    assert node.calls == []


def test_nothing_to_install_is_nothing_to_do(run_module: Run, node: Node) -> None:
    assert not run_module("apt_files", files=[], packages=[])["changed"]
    assert not run_module("apt_files")["changed"]
    assert node.calls == []


def test_stale_lists_are_refreshed_once(run_module: Run, node: Node, recorded: Callable[[str], str]) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/not-found-404.txt")), (0, "")]
    assert run_module("apt_files", packages=["good"])["changed"]
    assert node.changes() == [INSTALL + " good", "apt-get -y update", INSTALL + " good"]


def test_lists_that_somebody_else_refreshes_are_waited_for(
    run_module: Run, node: Node, recorded: Callable[[str], str]
) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt")), (0, "")]
    node.answers["apt-get -y update"] = [(100, recorded("apt-2.6.1/lock-lists.txt"))] * 3 + [(0, "")]
    assert run_module("apt_files", packages=["nosuchpackage"])["changed"]
    assert node.calls.count("apt-get -y update") == 4


def test_lists_that_stay_locked_are_the_cause(run_module: Run, node: Node, recorded: Callable[[str], str]) -> None:
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/unlocatable.txt"))]
    node.answers["apt-get -y update"] = [(100, recorded("apt-2.6.1/lock-lists.txt"))]
    result = run_module("apt_files", packages=["nosuchpackage"], lock_timeout=0)
    assert result["failed"]
    assert "cannot install nosuchpackage: another package manager holds /var/lib/apt/lists/lock" in result["msg"]


def test_a_failure_names_what_was_wanted_and_why(
    run_module: Run, node: Node, recorded: Callable[[str], str], tmp_path: Path
) -> None:
    deb = tmp_path / "enroot_4.1.2-1_amd64.deb"
    deb.touch()
    node.answers[INSTALL] = [(100, recorded("apt-2.6.1/disk-full.txt"))]
    result = run_module("apt_files", files=[str(deb)], packages=["jq"], delete_files=True)
    assert result["msg"].startswith("cannot install enroot_4.1.2-1_amd64.deb, jq: the disk is full")
    assert result["rc"] == 100
    assert "Unpacking big" in result["output"]
    assert deb.exists()
    assert "apt-get -y update" not in node.calls


def test_an_interrupted_dpkg_is_finished_first(run_module: Run, node: Node, tmp_path: Path) -> None:
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates/0001").touch()
    run_module("apt_files", packages=["jq"])
    assert node.changes() == [
        "dpkg --force-confdef --force-confold --force-confmiss --configure -a",
        INSTALL + " jq",
    ]


def test_a_half_unpacked_package_of_ours_is_unpacked_again(run_module: Run, node: Node) -> None:
    node.answers["dpkg-query"] = [(0, "enroot\t4.1.2-1\tamd64\thalf-installed\treinstreq\n")]
    run_module("apt_files", files=["/tmp/enroot_4.1.2-1_amd64.deb"])
    assert [call.split(" --")[-1] for call in node.changes()[:3]] == [
        "configure -a",
        "unpack /tmp/enroot_4.1.2-1_amd64.deb",
        "fix-broken install",
    ]


def test_somebody_elses_broken_package_is_left_to_them(run_module: Run, node: Node) -> None:
    node.answers["dpkg-query"] = [(0, "nvidia-dkms-550\t1\tamd64\thalf-configured\tok\n")]
    run_module("apt_files", files=["/tmp/enroot_4.1.2-1_amd64.deb"])
    assert not any("--unpack" in call for call in node.calls)
    assert node.changes()[-1].startswith(INSTALL)
