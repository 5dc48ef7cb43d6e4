"""playbooks/lock.yml on an inventory whose hosts want different versions."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
INVENTORY = """
all:
  vars:
    artifacts_platforms: [{os_family: Debian, architecture: x86_64}]
    ansible_connection: local
    apptainer_state: unmanaged
    nvidia_container_toolkit_state: unmanaged
  children:
    slurm_cluster:
      children:
        controller: {hosts: {head: }}
        compute: {hosts: {canary: {pyxis_version: 0.21.0}, plain: }, vars: {enroot_version: 4.0.1}}
"""


def put_package(path: Path) -> None:
    """Write the smallest file that passes for what its name says."""
    if path.suffix == ".deb":
        path.write_bytes(b"!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n" + b"x" * 100)
        return
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("pyxis/Makefile"), io.BytesIO())


def test_the_versions_of_every_host_are_locked(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    debs = [f"{name}_{version}-1_amd64.deb" for name in ("enroot", "enroot+caps") for version in ("4.0.1", "4.1.2")]
    names = sorted([*debs, "pyxis-0.21.0.tar.gz", "pyxis-0.24.0.tar.gz"])
    for name in names:
        put_package(mirror / name)
    command = [Path(sys.executable).with_name("ansible-playbook"), "playbooks/lock.yml", "-i", tmp_path / "hosts.yml"]
    done = subprocess.run(
        [*command, "-e", f"artifact_mirror={mirror}"],
        cwd=REPOSITORY,
        env={**os.environ, "ANSIBLE_CONFIG": f"{REPOSITORY}/ansible.cfg", "XDG_CACHE_HOME": f"{tmp_path}/cache"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lock = yaml.safe_load((tmp_path / "artifacts.lock.yml").read_text())
    assert sorted(lock["artifacts"]) == names
