"""The module node_facts against a package manager that answers as recorded ones do."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import mounts, packages
from ansible_collections.slipway.containers.plugins.module_utils.slurm_gather import ABSENT
from ansible_collections.slipway.containers.plugins.modules import node_facts
from ansible_collections.slipway.containers.plugins.modules.node_facts import group_name

Run = Callable[..., dict[str, Any]]
WHOLE = "enroot\\t4.1.2-1\\tamd64\\tinstalled\\tok\\tinstall\\n /.\\n /bin\\n"
# A path that no machine has: dpkg itself is asked what is the matter.
LACKING = WHOLE + " /usr/lib/no-such-path-of-enroot\\n"


def be(monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    system = {
        "distribution": family,
        "distribution_release": "",
        "distribution_version": "9",
        "distribution_major_version": "9",
    }
    monkeypatch.setattr(node_facts, "system_facts", lambda: {**system, "os_family": family, "architecture": "x86_64"})


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put programs on PATH, each with what it prints; returns the log of their calls."""
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    (tmp_path / "updates").mkdir()
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % (tmp_path / "bin"))
    be(monkeypatch, "Debian")
    monkeypatch.setattr(node_facts, "gather", lambda _host, roster: {**ABSENT, "roster": roster})
    monkeypatch.setattr(node_facts, "APT_FILES", (str(tmp_path / "apt/*.list"),))
    monkeypatch.setattr(packages, "DPKG_JOURNAL", str(tmp_path / "updates"))

    def install(**programs: str) -> Path:
        for name, text in programs.items():
            path = tmp_path / "bin" / name.replace("_", "-")
            path.write_text("#!/bin/sh\necho \"$(basename $0) $LC_ALL $*\" >> %s\nprintf '%s'\nexit 1\n" % (log, text))
            path.chmod(0o755)
        return log

    return install


def facts(result: dict[str, Any]) -> tuple[Any, Any]:
    assert not result["changed"]
    return result["ansible_facts"]["packages"], result["ansible_facts"]["packages_broken"]


def test_whole(run_module: Run, tools: Callable[..., Path]) -> None:
    log = tools(dpkg_query=WHOLE, dpkg="")
    found, broken = facts(run_module("node_facts", packages=["enroot", "enroot+caps"]))
    assert found == {"enroot": [{"name": "enroot", "version": "4.1.2-1", "arch": "amd64"}]}
    assert broken == []
    text = log.read_text()
    assert "dpkg-query C --show --showformat ${Package}" in text
    assert text.endswith(" enroot enroot+caps\n"), "dpkg reads every file of a package that it verifies"


def test_broken(run_module: Run, tools: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "updates/0000").touch()
    tools(
        dpkg_query=LACKING + "enroot+caps\\t4.1.2-1\\tamd64\\thalf-configured\\tok\\n",
        dpkg="missing   c /etc/enroot/environ.d/10-terminal.env\\n",
    )
    assert facts(run_module("node_facts", packages=["enroot"], check=True))[1] == ["enroot+caps", "dpkg", "enroot"]


def test_nothing_installed(run_module: Run, tools: Callable[..., Path]) -> None:
    tools(dpkg_query="", dpkg="missing /x\\n")
    assert facts(run_module("node_facts", packages=["enroot"])) == ({}, [])


def test_documentation_left_out_is_whole(run_module: Run, tools: Callable[..., Path]) -> None:
    log = tools(dpkg_query=WHOLE + " /usr/share/doc/enroot/no-such-file\\n", dpkg="missing /x\\n")
    assert facts(run_module("node_facts", packages=["enroot"]))[1] == []
    assert "--verify" not in log.read_text()


@pytest.mark.parametrize("said", ["", "missing     /usr/share/doc/enroot/copyright\\n"])
def test_what_dpkg_does_not_miss_is_whole(run_module: Run, tools: Callable[..., Path], said: str) -> None:
    """A path that was diverted, for one, is elsewhere."""
    log = tools(dpkg_query=LACKING, dpkg=said)
    assert facts(run_module("node_facts", packages=["enroot"]))[1] == []
    assert log.read_text().endswith("dpkg C --verify enroot\n")


def test_rpm(run_module: Run, tools: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, "RedHat")
    log = tools(rpm="enroot\\t4.1.2-1.el9\\tx86_64\\n", dpkg_query=WHOLE, dpkg="missing /x\\n")
    found, broken = facts(run_module("node_facts", packages=["enroot"]))
    assert (found["enroot"][0]["version"], broken) == ("4.1.2-1.el9", [])
    assert "dpkg" not in log.read_text()


def test_what_a_killed_rpm_leaves(run_module: Run, tools: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, "RedHat")
    tools(rpm="enroot\\t4.1.2-1.el8\\tx86_64\\nenroot\\t4.1.1-1.el8\\tx86_64\\n")
    assert facts(run_module("node_facts", packages=["enroot"]))[1] == ["enroot"]


def test_a_family_that_nobody_knows(
    run_module: Run, tools: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, "Archlinux")
    assert facts(run_module("node_facts", packages=["enroot"])) == ({}, [])


def test_the_rest_of_the_node(run_module: Run, tools: Callable[..., Path]) -> None:
    log = tools(dpkg_query=WHOLE, dpkg="")
    found = run_module("node_facts", roster=True)["ansible_facts"]
    assert sorted(found) == [
        "apparmor",
        "apt_archives",
        "apt_own_archive",
        "architecture",
        "data_directories",
        "data_in_use",
        "data_mounts",
        "distribution",
        "distribution_major_version",
        "distribution_release",
        "distribution_version",
        "docker",
        "files",
        "files_asked",
        "gpu",
        "nvidia",
        "originals",
        "os_family",
        "pyxis_proven",
        "slurm",
        "subid_served",
    ]
    assert found["architecture"] == "x86_64"
    assert found["slurm"]["roster"]
    assert not log.exists()


def test_what_the_patterns_find(
    run_module: Run, tools: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools()
    (tmp_path / "a/slipway/pyxis").mkdir(parents=True)
    (tmp_path / "b").write_bytes(b"\x7fELF")
    (tmp_path / "b").chmod(0o640)
    (tmp_path / "c").symlink_to("b")
    monkeypatch.setattr(
        mounts, "survey", lambda _mounts: {"data_mounts": [], "data_directories": [str(tmp_path / "a/slipway")]}
    )
    monkeypatch.setattr(node_facts, "LARGEST", 4)
    found = run_module("node_facts", files=[str(tmp_path / "[bc]"), str(tmp_path / "none")])["ansible_facts"]["files"]
    owner = {"owner": os.geteuid(), "group": os.getegid(), "group_name": group_name(os.getegid())}
    assert sorted(found) == [str(tmp_path / name) for name in ("a/slipway", "a/slipway/pyxis", "b", "c")]
    assert found[str(tmp_path / "b")] == {
        "kind": "file",
        "mode": "0640",
        "sha256": hashlib.sha256(b"\x7fELF").hexdigest(),
        **owner,
    }
    assert found[str(tmp_path / "c")]["target"] == "b"
    assert found[str(tmp_path / "a/slipway")]["kind"] == "directory"
    monkeypatch.setattr(node_facts, "LARGEST", 3)
    found = run_module("node_facts", files=[str(tmp_path / "b")])["ansible_facts"]["files"]
    assert "sha256" not in found[str(tmp_path / "b")]


def test_archives(run_module: Run, tools: Callable[..., Path], recorded: Callable[[str], str]) -> None:
    log = tools(apt_get=recorded("apt-3.0.4/indextargets.txt").replace("\n", "\\n"))
    found = run_module("node_facts")["ansible_facts"]["apt_archives"]
    assert [archive["suite"] for archive in found] == ["trixie", "trixie-security", "sid"]
    assert "indextargets --format $(REPO_URI)" in log.read_text()


def test_archives_that_apt_does_not_tell_of(run_module: Run, tools: Callable[..., Path], tmp_path: Path) -> None:
    """As before its first update, and where two files name one archive with different keys."""
    tools(apt_get="E: Conflicting values set for option Signed-By\\n")
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt/docker.list").write_text("deb https://download.docker.com/linux/debian trixie stable\n")
    found = run_module("node_facts")["ansible_facts"]["apt_archives"]
    assert [(archive["suite"], archive["file"]) for archive in found] == [("trixie", f"{tmp_path}/apt/docker.list")]


def test_held(run_module: Run, tools: Callable[..., Path]) -> None:
    tools(dpkg_query=WHOLE.replace("install\\n", "hold\\n"), dpkg="")
    assert run_module("node_facts", packages=["enroot"])["ansible_facts"]["packages_held"] == ["enroot"]


def test_the_inventory_knows_better_than_the_bus(run_module: Run) -> None:
    found = run_module("node_facts", gpu_vendor="none")["ansible_facts"]["gpu"]
    assert found == {"vendor": "none", "count": 0, "source": "inventory"}
