"""The toolkit's stand-in: packages of one version, and programs that honour NVIDIA's interface."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import build
import nvidia_standin
import pytest
import repository
from nvidia_standin import Device, StandinError, container_cli, ctk, runtime, select, toml

GPUS = [Device(0, Path("/dev/nvidia0"), 4, 40), Device(1, Path("/dev/nvidia1"), 4, 41)]
packs = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb packs the stand-ins")
signs = pytest.mark.skipif(
    not (shutil.which("dpkg-scanpackages") and shutil.which("gpg")), reason="dpkg-dev and gpg make the repository"
)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A node with two simulated GPUs."""
    for program in (ctk, container_cli, runtime):
        monkeypatch.setattr(program, "devices", lambda: GPUS)
    monkeypatch.setattr(container_cli, "version", lambda: "1.20.0~standin1")
    monkeypatch.setattr(ctk, "version", lambda: "1.20.0~standin1")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "indices"),
    [("all", [0, 1]), ("1", [1]), ("1,0", [1, 0]), (GPUS[1].uuid, [1]), ("void", []), ("", []), ("none", [])],
)
def test_the_wanted_devices(wanted: str, indices: list[int]) -> None:
    assert [device.index for device in select(wanted, GPUS)] == indices


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(StandinError, match="device error: 7: unknown device"):
        select("0,7", GPUS)


def test_device_nodes_are_found(tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    assert nvidia_standin.devices(tmp_path) == []
    if os.geteuid() == 0:
        os.mknod(tmp_path / "nvidia3", 0o20666, os.makedev(4, 43))
        assert nvidia_standin.devices(tmp_path) == [Device(3, tmp_path / "nvidia3", 4, 43)]


def test_config_keeps_what_it_is_not_told_to_change(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = node / "config.toml"
    assert ctk.main(["--quiet", "config", f"--config-file={path}", "--in-place"]) == 0
    before = toml.parse(path.read_text())
    changes = ["--set=nvidia-container-cli.no-cgroups", "--set=nvidia-container-runtime.runtimes=crun:runc"]
    ctk.main(["config", "-c", str(path), *changes])
    after = toml.parse(capsys.readouterr().out)
    assert after["nvidia-container-cli"].pop("no-cgroups") is True
    assert after["nvidia-container-runtime"].pop("runtimes") == ["crun", "runc"]
    assert before["nvidia-container-runtime"].pop("runtimes") == ["runc", "crun"]
    assert after == before == toml.parse(path.read_text().replace('runtimes = ["runc", "crun"]\n', ""))


def test_a_specification_names_each_gpu_and_all(node: Path) -> None:
    path = node / "cdi/nvidia.yaml"
    assert ctk.main(["cdi", "generate", f"--output={path}"]) == 0
    names = [device["name"] for device in json.loads(path.read_text())["devices"]]
    assert names == ["0", "1", GPUS[0].uuid, GPUS[1].uuid, "all"]


def test_without_gpus_there_is_no_specification(
    node: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ctk, "devices", list)
    assert ctk.main(["cdi", "generate"]) == 1
    assert "Driver Not Loaded" in capsys.readouterr().err


def test_dockers_runtime_is_merged(node: Path) -> None:
    path = node / "daemon.json"
    path.write_text('{"data-root": "/x"}')
    assert ctk.main(["runtime", "configure", "--runtime=docker", f"--config={path}", "--cdi.enabled"]) == 0
    assert json.loads(path.read_text()) == {
        "data-root": "/x",
        "runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}},
        "features": {"cdi": True},
    }


def test_what_enroots_hook_calls(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--user", "configure", "--no-cgroups", "--ldconfig=@/sbin/ldconfig", "--utility"]
    assert container_cli.main([*call, "--device=all", "/root"]) == 0
    assert container_cli.main([*call, "--device=9", "/root"]) == 1
    assert "9: unknown device" in capsys.readouterr().err
    assert container_cli.main(["info"]) == 0
    assert "STAND-IN" in capsys.readouterr().out


def test_a_container_has_the_devices_it_names(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (node / "config.json").write_text(json.dumps({"process": {"env": ["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=1"]}}))
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _program, arguments: called.append(arguments))
    runtime.main(["--root", "/run/x", "create", "--bundle", str(node), "name"])
    assert called == [["runc", "--root", "/run/x", "create", "--bundle", str(node), "name"]]
    linux = json.loads((node / "config.json").read_text())["linux"]
    assert [(device["path"], device["minor"]) for device in linux["devices"]] == [("/dev/nvidia1", 41)]
    assert linux["resources"]["devices"][0]["allow"] is True


@packs
@signs
def test_the_repository_is_signed_and_stays(tmp_path: Path) -> None:
    packages = build.build_nvidia(tmp_path, version="1.19.1~standin1-1")
    output, key = tmp_path / "repository", tmp_path / "key.asc"
    repository.make(packages, output, key)
    listing = (output / "Packages").read_text()
    assert listing.count("Version: 1.19.1~standin1-1") == len(packages) == 4
    assert "nvidia-container-toolkit-base (= 1.19.1~standin1-1)" in listing
    ring = tmp_path / "ring.gpg"
    dearmor = ["gpg", "--batch", "--quiet", "--homedir", str(tmp_path), "--output", str(ring), "--dearmor", str(key)]
    subprocess.run(dearmor, check=True)
    verified = subprocess.run(["gpgv", "--keyring", str(ring), str(output / "InRelease")], check=False)
    assert verified.returncode == 0
    signed = (output / "InRelease").read_bytes()
    repository.make(packages, output, key)
    assert (output / "InRelease").read_bytes() == signed
    repository.make(build.build_nvidia(tmp_path, version="1.21.0~standin1-1"), output, key)
    assert (output / "InRelease").read_bytes() != signed
