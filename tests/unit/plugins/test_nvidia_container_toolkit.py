"""The module nvidia_container_toolkit on a node made of files, with programs that answer as told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import nvidia_facts, nvidia_toolkit
from ansible_collections.slipway.containers.plugins.module_utils.command import Output
from ansible_collections.slipway.containers.plugins.modules import nvidia_container_toolkit as module

Run = Callable[..., dict[str, Any]]
UNITS = "Id=nvidia-cdi-refresh.path\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
VERSION = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
CONFIG = {"nvidia-container-cli.no-cgroups": True}


class Node:
    """A node's files and programs; nvidia-ctk writes what ``specification`` holds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[str] = []
        self.units = UNITS
        self.config = "no-cgroups = true\n"
        self.specification = "path: /dev/nvidia0\n"
        self.failing = ""
        self.options = {
            "cdi_file": str(root / "run/cdi/nvidia.yaml"),
            "config_file": str(root / "etc/config.toml"),
            "originals": str(root / "originals"),
        }
        for name in ("dev", "proc", "etc", "run/cdi", "bin"):
            (root / name).mkdir(parents=True)
        self.touch("dev/nvidia0", "dev/nvidia-uvm", "bin/nvidia-ctk")
        (root / "bin/nvidia-ctk").chmod(0o755)

    def touch(self, *names: str) -> None:
        for name in names:
            (self.root / name).touch()

    def command(self, arguments: list[str], _timeout: float) -> Output:
        line = " ".join(arguments)
        if not line.startswith("systemctl show"):
            self.calls.append(line.replace(str(self.root), ""))
        if self.failing and line.startswith(self.failing):
            return Output(1, "", "first\nthe cause\n")
        if line.startswith("systemctl show"):
            return Output(0, self.units, "")
        if " cdi generate " in line:
            (self.root / "run/cdi/nvidia.yaml").write_text(self.specification)
        return Output(0, self.config if " config " in line else "", "")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node(tmp_path)
    monkeypatch.setattr(nvidia_facts, "DEVICES", str(tmp_path / "dev"))
    monkeypatch.setattr(nvidia_facts, "PROC_DRIVER", str(tmp_path / "proc"))
    monkeypatch.setattr(nvidia_facts, "CDI_FILE", node.options["cdi_file"])
    monkeypatch.setattr(module.command, "run", node.command)
    monkeypatch.setattr(module.command, "SEARCH_PATH", str(tmp_path / "bin"))
    return node


def keep(run_module: Run, node: Node, **options: Any) -> dict[str, Any]:
    return run_module("nvidia_container_toolkit", **node.options, **options)


def test_a_specification_is_made_once(run_module: Run, node: Node) -> None:
    assert keep(run_module, node, check=True)["changes"] == ["the CDI specification: there is none"]
    assert node.calls == []
    assert keep(run_module, node)["changes"] == ["the CDI specification: there is none"]
    assert node.calls == ["nvidia-ctk --quiet cdi generate --output=/run/cdi/nvidia.yaml"]
    assert not keep(run_module, node)["changed"]


def test_a_specification_that_stays_as_it_is_is_no_change(run_module: Run, node: Node) -> None:
    node.touch("dev/nvidia1")
    assert keep(run_module, node)["changed"]
    assert not keep(run_module, node)["changed"]


@pytest.mark.case("E10")
def test_without_a_driver_there_is_nothing_to_specify(run_module: Run, node: Node) -> None:
    (node.root / "dev/nvidia0").unlink()
    result = keep(run_module, node)
    assert (result["changed"], result["driver"], node.calls) == (False, "", [])


@pytest.mark.case("E10")
def test_another_driver_and_mig(run_module: Run, node: Node) -> None:
    (node.root / "proc/version").write_text(VERSION)
    (node.root / "proc/capabilities/gpu0/mig/gi1/ci0").mkdir(parents=True)
    (node.root / "run/cdi/nvidia.yaml").write_text("path: /dev/nvidia0\nhostPath: /usr/lib/libcuda.so.535.1.2\n")
    node.specification = 'path: /dev/nvidia0\nname: "0:0"\nhostPath: /usr/lib/libcuda.so.550.54.15\n'
    result = keep(run_module, node)
    assert result["driver"] == "550.54.15"
    assert result["changes"] == ["the CDI specification: it is for driver 535.1.2, and 550.54.15 is loaded"]
    assert not keep(run_module, node)["changed"]


def test_a_loaded_driver_without_cudas_device(run_module: Run, node: Node) -> None:
    (node.root / "proc/version").write_text(VERSION)
    (node.root / "dev/nvidia-uvm").unlink()
    keep(run_module, node)
    assert node.calls[:2] == ["modprobe nvidia_uvm", "nvidia-modprobe -u -c=0"]


@pytest.mark.case("E10")
@pytest.mark.case("P10")
def test_configuration_is_written_where_it_differs(run_module: Run, node: Node) -> None:
    (node.root / "run/cdi/nvidia.yaml").write_text(node.specification)
    path = node.root / "etc/config.toml"
    path.write_text("no-cgroups = false\n")
    expected = ["%s: nvidia-container-cli.no-cgroups" % path]
    assert keep(run_module, node, config=CONFIG, check=True)["changes"] == expected
    assert path.read_text() == "no-cgroups = false\n"
    assert keep(run_module, node, config=CONFIG)["changes"] == expected
    assert path.read_text() == node.config
    assert path.stat().st_mode & 0o777 == 0o644
    assert node.calls[0].endswith("config --config-file=/etc/config.toml --set=nvidia-container-cli.no-cgroups=true")
    assert not keep(run_module, node, config=CONFIG)["changed"]


def test_services(run_module: Run, node: Node) -> None:
    (node.root / "run/cdi/nvidia.yaml").write_text(node.specification)
    node.units = UNITS.replace("=enabled", "=disabled").replace("=active", "=inactive")
    assert keep(run_module, node)["changes"] == ["nvidia-cdi-refresh.path: enable", "nvidia-cdi-refresh.path: start"]
    assert node.calls == ["systemctl enable nvidia-cdi-refresh.path", "systemctl start nvidia-cdi-refresh.path"]


def test_services_of_an_image_are_started_by_its_first_boot(run_module: Run, node: Node) -> None:
    (node.root / "run/cdi/nvidia.yaml").write_text(node.specification)
    node.units = UNITS.replace("=enabled", "=disabled").replace("=active", "=inactive")
    assert keep(run_module, node, started=False)["changes"] == ["nvidia-cdi-refresh.path: enable"]
    assert node.calls == ["systemctl enable nvidia-cdi-refresh.path"]


def test_a_program_that_fails_is_named_with_its_cause(run_module: Run, node: Node) -> None:
    node.failing = "nvidia-ctk"
    result = keep(run_module, node)
    assert result["failed"]
    assert result["msg"].startswith("`nvidia-ctk --quiet cdi generate") and result["msg"].endswith("failed: the cause")


def test_a_bare_node(run_module: Run, node: Node) -> None:
    (node.root / "bin/nvidia-ctk").unlink()
    assert keep(run_module, node, check=True)["changed"]
    assert "nvidia-ctk is not installed" in keep(run_module, node)["msg"]


def test_absent_deletes_what_packages_leave(run_module: Run, node: Node) -> None:
    keep(run_module, node, config=CONFIG)
    (node.root / "etc/other").touch()
    assert len(keep(run_module, node, state="absent", check=True)["changes"]) == 2
    assert (node.root / "etc/config.toml").exists()
    assert len(keep(run_module, node, state="absent")["changes"]) == 2
    assert sorted(path.name for path in node.root.iterdir()) == ["bin", "dev", "etc", "proc", "run"]
    assert not (node.root / "run/cdi").exists() and (node.root / "etc/other").exists()
    assert not keep(run_module, node, state="absent")["changed"]


def spoil_specification(node: Node) -> None:
    (node.root / "run/cdi/nvidia.yaml").write_text("path: /dev/nvidia1\n")


def stop_a_unit(node: Node) -> None:
    node.units = UNITS.replace("=active", "=inactive")


def disable_a_unit(node: Node) -> None:
    node.units = UNITS.replace("=enabled", "=disabled")


def load_the_driver_alone(node: Node) -> None:
    (node.root / "proc/version").write_text(VERSION)
    (node.root / "dev/nvidia-uvm").unlink()


def take_the_gpus(node: Node) -> None:
    (node.root / "dev/nvidia0").unlink()
    spoil_specification(node)


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize(
    "drift",
    [lambda _node: None, spoil_specification, stop_a_unit, disable_a_unit, load_the_driver_alone, take_the_gpus],
)
def test_facts_say_whether_there_is_something_to_do(
    run_module: Run, node: Node, drift: Callable[[Node], None], started: bool
) -> None:
    keep(run_module, node)
    drift(node)
    found = nvidia_facts.gather("nvidia")
    assert found is not None
    changed = keep(run_module, node, started=started, check=True)["changed"]
    assert nvidia_toolkit.settled(found, {}, True, started) is not changed
    assert not nvidia_toolkit.settled(found, CONFIG, True, started), "only nvidia-ctk can compare these"


def test_facts_of_other_nodes_and_of_a_systemd_that_does_not_answer(node: Node) -> None:
    assert nvidia_facts.gather("none") is None
    node.failing = "systemctl"
    found = nvidia_facts.gather("nvidia")
    assert found is not None and found["units"] is None
    assert not nvidia_toolkit.settled(found, {}, True, True)
    # Without GPUs there are no such facts, and ansible-core up to 2.18 asks all the same.
    assert not nvidia_toolkit.settled(None, {}, True, True)
