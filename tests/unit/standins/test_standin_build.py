"""The builder: same bytes every time, upstream's layout, and the mark of a stand-in on each artifact."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import build
import pytest

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("dpkg-deb")), reason="gcc and dpkg-deb build the stand-ins"
)

HOOKS = [
    "10-aptfix",
    "10-cgroups",
    "10-devices",
    "10-home",
    "10-localtime",
    "10-shadow",
    "98-nvidia",
    "99-mellanox",
]
CONFFILES = [
    "/etc/apparmor.d/enroot",
    "/etc/enroot/enroot.conf",
    "/etc/enroot/enroot.conf.d/README",
    "/etc/enroot/environ.d/10-terminal.env",
    *(f"/etc/enroot/hooks.d/{name}.sh" for name in HOOKS),
    "/etc/enroot/mounts.d/10-system.fstab",
    "/etc/enroot/mounts.d/20-config.fstab",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("standins")
    assert build.main(["--output", str(output)]) == 0
    return output


@pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpmbuild builds the RPMs (Debian's package rpm)")
def test_rpms_are_the_same_every_time_and_say_what_they_are(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert build.main(["--output", str(tmp_path / name), "--family", "RedHat", "enroot"]) == 0
    machine = os.uname().machine
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [f"enroot{end}-4.1.2~standin1-1.el8.{machine}.rpm" for end in ("+caps", "")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    shape = "%{SUMMARY}\n[%{FILENAMES} %{FILEFLAGS:fflags}\n]"
    command = ["rpm", "--query", "--package", "--queryformat", shape, one[1]]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    assert told[0].startswith("STAND-IN")
    assert "/etc/enroot/enroot.conf cn" in told
    assert "/usr/share/enroot/apparmor.profile " in told


def dpkg_deb(*arguments: str | Path) -> str:
    return subprocess.run(["dpkg-deb", *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout


def package(directory: Path, name: str) -> Path:
    return next(directory.glob(f"{name}_*.deb"))


def test_names_of_the_artifacts(built: Path) -> None:
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout.strip()
    assert sorted(path.name for path in built.iterdir()) == [
        f"enroot+caps_4.1.2~standin1-1_{architecture}.deb",
        f"enroot_4.1.2~standin1-1_{architecture}.deb",
        f"libnvidia-container-tools_1.20.0~standin1-1_{architecture}.deb",
        f"libnvidia-container1_1.20.0~standin1-1_{architecture}.deb",
        f"nvidia-container-toolkit-base_1.20.0~standin1-1_{architecture}.deb",
        f"nvidia-container-toolkit_1.20.0~standin1-1_{architecture}.deb",
        "pyxis-0.24.0~standin1.tar.gz",
    ]


def test_a_second_build_has_the_same_bytes(built: Path, tmp_path: Path) -> None:
    build.main(["--output", str(tmp_path)])
    for path in built.iterdir():
        again = (tmp_path / path.name).read_bytes()
        assert hashlib.sha256(again).digest() == hashlib.sha256(path.read_bytes()).digest(), path.name


def test_one_stand_in_can_be_built_alone(tmp_path: Path) -> None:
    build.main(["--output", str(tmp_path / "new"), "pyxis"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["pyxis-0.24.0~standin1.tar.gz"]


def test_an_unknown_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build.main(["--output", str(tmp_path), "docker"])
    assert "no such stand-in: docker" in capsys.readouterr().err


def test_enroot_has_upstreams_layout(built: Path) -> None:
    listing = {line.split()[-1]: line.split()[0] for line in dpkg_deb("-c", package(built, "enroot")).splitlines()}
    for name in ("", "-aufs2ovlfs", "-mksquashovlfs", "-mount", "-nsenter", "-switchroot"):
        assert listing[f"./usr/bin/enroot{name}"] == "-rwxr-xr-x"
    for name in ("50-mig-config", "50-sharp", "50-slurm-pmi", "50-slurm-pytorch"):
        assert listing[f"./usr/share/enroot/hooks.d/{name}.sh"] == "-rwxr-xr-x"
    for path in CONFFILES:
        mode = "-rwxr-xr-x" if "/hooks.d/" in path else "-rw-r--r--"
        assert listing[f".{path}"] == mode
    assert listing["./usr/share/enroot/mounts.d/30-lxcfs.fstab"] == "-rw-r--r--"


def test_enroots_settings_are_conffiles_and_commented(built: Path) -> None:
    archive = package(built, "enroot")
    assert dpkg_deb("-I", archive, "conffiles").splitlines() == CONFFILES
    text = (build.HERE / "enroot/etc/enroot.conf").read_text()
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []


def test_capabilities_belong_to_the_second_package(built: Path) -> None:
    archive = package(built, "enroot+caps")
    assert dpkg_deb("-f", archive, "Depends").strip() == "enroot (= 4.1.2~standin1-1), libcap2-bin"
    script = dpkg_deb("-I", archive, "postinst")
    assert "setcap cap_sys_admin+pe" in script
    assert "setcap cap_sys_admin,cap_mknod+pe" in script
    assert "setcap -r" in dpkg_deb("-I", archive, "prerm")


def test_every_artifact_says_that_it_is_a_stand_in(built: Path) -> None:
    assert "STAND-IN" in dpkg_deb("-f", package(built, "enroot"), "Description")
    assert "STAND-IN" in dpkg_deb("-f", package(built, "enroot+caps"), "Description")
    with tarfile.open(next(built.glob("pyxis-*.tar.gz"))) as archive:
        options = archive.extractfile("pyxis-0.24.0~standin1/options.c")
        assert options is not None
        assert '" (stand-in)"' in options.read().decode()


def test_pyxis_archive_has_one_top_directory(built: Path) -> None:
    with tarfile.open(next(built.glob("pyxis-*.tar.gz"))) as archive:
        names = archive.getnames()
        owners = {(member.uname, member.uid, member.mtime) for member in archive}
    assert {name.split("/")[0] for name in names} == {"pyxis-0.24.0~standin1"}
    assert "pyxis-0.24.0~standin1/Makefile" in names
    assert owners == {("root", 0, build.epoch())}


def test_makefile_takes_packagers_variables(built: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("pyxis-*.tar.gz"))) as archive:
        archive.extractall(tmp_path)
    command = ["make", "--dry-run", "install", "DESTDIR=/stage", "libdir=/lib64", "datarootdir=/usr/share"]
    done = subprocess.run(
        [*command, "PYXIS_VER=9.9", "CFLAGS=-O1"],
        cwd=tmp_path / "pyxis-0.24.0~standin1",
        env={**os.environ, "CPPFLAGS": "-I/opt/slurm/include"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert "-I/opt/slurm/include" in done.stdout
    assert 'PYXIS_VERSION=\\"9.9\\"' in done.stdout
    assert "-fPIC" in done.stdout
    assert "/stage/lib64/slurm" in done.stdout
    assert "required /lib64/slurm/spank_pyxis.so' > /stage/usr/share/pyxis/pyxis.conf" in done.stdout
