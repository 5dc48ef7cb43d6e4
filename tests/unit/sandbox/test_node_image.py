import io
import tarfile
from pathlib import Path

import pytest
from cluster import node_image
from cluster.host import Tool, cgroup_flavour, install_command
from cluster.node_image import NodeSource, Recipe

SOURCE = NodeSource("http://m.example/debian", "trixie", trusted=False, key=b"")


def recipe(**changes):
    values = {
        "distribution": "trixie",
        "packages": node_image.packages("trixie"),
        "sources": (SOURCE,),
        "apt_options": (),
        "overlay": b"overlay",
    }
    return Recipe(**{**values, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"packages": ("munge",)},
        {"overlay": b"other"},
        {"distribution": "bookworm"},
        {"apt_options": ('Acquire::Languages "none"',)},
        {"sources": (NodeSource("http://other.example/debian", "trixie", trusted=False, key=b""),)},
    ],
)
def test_the_cache_key_changes_with_every_part(change):
    assert recipe().key == recipe().key
    assert recipe(**change).key != recipe().key


def test_only_a_distribution_that_has_sackd_gets_it():
    assert "sackd" in node_image.packages("trixie")
    assert "sackd" not in node_image.packages("bookworm")
    assert "--purge slurmctld docker-registry;" in node_image.strip_script("compute", "bookworm")
    assert "--purge slurmctld sackd docker-registry;" in node_image.strip_script("compute", "trixie")


def test_rocky_is_a_debian_with_dnf_and_files_of_its_own():
    assert {"dnf", "python3-dnf", "rpm"} <= set(node_image.packages("rocky"))
    command = node_image.build_command(
        recipe(distribution="rocky", packages=node_image.packages("rocky")), Path("/build"), Path("/out.tar")
    )
    assert "bookworm" in command
    assert any("be_rocky" in word for word in command)
    assert not any("be_rocky" in word for word in node_image.build_command(recipe(), Path("/build"), Path("/out.tar")))
    common, own = node_image.directories("rocky")
    with tarfile.open(fileobj=io.BytesIO(node_image.overlay((common, own), {}))) as archive:
        names = archive.getnames()
    assert {"etc/os-release", "etc/ssh/sshd_config.d/slipway-sandbox.conf"} <= set(names)
    assert node_image.directories("trixie") == (common,)
    name = (own / "etc/os-release").read_text()
    assert 'ID="rocky"' in name
    assert "Debian 12 under the name of Rocky" in name


def test_nodes_are_bare_of_what_roles_install():
    installed = set(node_image.packages("trixie"))
    assert not installed & {"gcc", "make", "libslurm-dev", "jq", "gawk", "squashfs-tools", "pigz", "zstd", "parallel"}


def test_the_build_command_uses_the_machines_mirror_and_key():
    keyed = NodeSource("http://k.example/debian", "trixie", trusted=True, key=b"-----BEGIN PGP")
    command = node_image.build_command(recipe(sources=(SOURCE, keyed)), Path("/build"), Path("/out.tar"))
    assert command[-4:-2] == ["trixie", "/out.tar"]
    assert command[-2] == f"deb [signed-by={node_image.DEBIAN_KEYRING}] http://m.example/debian trixie main"
    assert command[-1].startswith("deb [signed-by=/build/slipway-sandbox-")
    assert command[-1].endswith(".asc trusted=yes] http://k.example/debian trixie main")


def test_the_overlay_belongs_to_root_and_keeps_what_is_executable(tmp_path):
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "prepare"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    data = node_image.overlay([tmp_path], {"etc/x": b"rendered"})
    assert data == node_image.overlay([tmp_path], {"etc/x": b"rendered"})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {member.name: (member.uid, member.mode) for member in archive}
    assert members == {"bin/prepare": (0, 0o755), "etc/x": (0, 0o644)}


@pytest.mark.parametrize(("filesystem", "flavour"), [("cgroup2fs", "v2"), ("tmpfs", "v1"), ("", "v1")])
def test_the_cgroups_of_the_machine(filesystem, flavour):
    assert cgroup_flavour(filesystem) == flavour


def test_the_command_that_installs_what_is_missing():
    tools = [Tool("ssh-keygen", "openssh-client", "openssh-clients")]
    assert install_command({"ID": "ubuntu"}, tools) == ["apt-get", "install", "-y", "openssh-client"]
    assert install_command({"ID": "rocky", "ID_LIKE": "rhel fedora"}, tools)[0] == "dnf"
