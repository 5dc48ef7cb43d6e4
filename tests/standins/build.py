#!/usr/bin/env python3
"""Builds the stand-ins: packages for enroot (.deb or RPM) and the NVIDIA container toolkit, pyxis's source archive.

    build.py --output DIR [--family Debian|RedHat] [enroot] [pyxis] [nvidia_container_toolkit]

Prints the path of each file it made. Needs gcc and dpkg-deb or rpmbuild, no network. The same sources give the same
bytes: every time stamp is SOURCE_DATE_EPOCH, and a fixed moment where that is not set.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENROOT_VERSION = "4.1.2~standin1"
PYXIS_VERSION = "0.24.0~standin1"
NVIDIA_VERSION = "1.20.0~standin1-1"
DEFAULT_EPOCH = 1735689600  # 2025-01-01
# Program of each package of the toolkit, and the module that it is.
NVIDIA_PROGRAMS = {
    "libnvidia-container1": {},
    "libnvidia-container-tools": {"nvidia-container-cli": "container_cli"},
    "nvidia-container-toolkit-base": {"nvidia-ctk": "ctk", "nvidia-container-runtime": "runtime"},
    "nvidia-container-toolkit": {"nvidia-container-runtime-hook": "hook"},
}
HELPERS = ("aufs2ovlfs", "mksquashovlfs", "mount", "switchroot", "nsenter")

# Static: the packages are built on one distribution and run on another with an older C library.
_COMPILE = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-Wl,--build-id=none"]


def epoch() -> int:
    """The time stamp of everything that is built."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or DEFAULT_EPOCH)


def build_enroot(output: Path, family: str) -> list[Path]:
    """The packages enroot and enroot+caps."""
    pack = {"Debian": _package, "RedHat": _rpm}[family]
    with tempfile.TemporaryDirectory(prefix="slipway-standin.") as scratch:
        root, caps = Path(scratch, "enroot"), Path(scratch, "caps")
        _lay_out_enroot(root)
        profile = {"Debian": "etc/apparmor.d/enroot", "RedHat": "usr/share/enroot/apparmor.profile"}[family]
        _copy(HERE / "enroot/debian/apparmor", root / profile, 0o644)
        caps.mkdir(mode=0o755)
        return [pack("enroot", root, output), pack("enroot+caps", caps, output)]


def _architecture() -> str:
    told = subprocess.run(["dpkg", "--print-architecture"], stdout=subprocess.PIPE, check=True, text=True)
    return told.stdout.strip()


def _lay_out_enroot(root: Path) -> None:
    source = HERE / "enroot"
    _copy(source / "enroot", root / "usr/bin/enroot", 0o755)
    for name in HELPERS:
        program = root / f"usr/bin/enroot-{name}"
        # From within the directory and to a relative path: no path of this machine in the program.
        subprocess.run([*_COMPILE, "-o", str(program), f"enroot-{name}.c"], cwd=source / "bin", check=True)
        program.chmod(0o755)
    _copy_tree(source / "enroot_standin", root / "usr/lib/enroot/enroot_standin", "*.py", 0o644)
    _copy_tree(source / "etc", root / "etc/enroot", "*", 0o644)
    _copy_tree(source / "share", root / "usr/share/enroot", "*", 0o644)
    for directory in ("etc/enroot/hooks.d", "usr/share/enroot/hooks.d"):
        for hook in (root / directory).iterdir():
            hook.chmod(0o755)


def build_nvidia(output: Path, family: str = "Debian", version: str = NVIDIA_VERSION) -> list[Path]:
    """The four packages of the NVIDIA container toolkit; of Debian's kind only."""
    del family
    with tempfile.TemporaryDirectory(prefix="slipway-standin.") as scratch:
        packages = []
        for name in NVIDIA_PROGRAMS:
            root = Path(scratch, name)
            root.mkdir(mode=0o755)
            _lay_out_nvidia(name, root, version)
            packages.append(_package(name, root, output, "nvidia", version))
        return packages


def _lay_out_nvidia(name: str, root: Path, version: str) -> None:
    source = HERE / "nvidia"
    launcher = (source / "launcher").read_text(encoding="utf-8")
    for program, module in NVIDIA_PROGRAMS[name].items():
        _write(root / "usr/bin" / program, launcher.replace("@MODULE@", module), 0o755)
    if name == "libnvidia-container1":
        place = root / "usr/lib/nvidia-container-standin/nvidia_standin"
        _copy_tree(source / "nvidia_standin", place, "*.py", 0o644)
        _write(place / "version", version.rpartition("-")[0] + "\n", 0o644)
    if name == "nvidia-container-toolkit-base":
        for unit in ("nvidia-cdi-refresh.service", "nvidia-cdi-refresh.path"):
            _copy(source / "units" / unit, root / "usr/lib/systemd/system" / unit, 0o644)
        settings = "nvidia-cdi-refresh.env"
        _copy(source / "units" / settings, root / "etc/nvidia-container-toolkit" / settings, 0o644)


def _package(
    name: str, root: Path, output: Path, standin: str = "enroot", version: str = f"{ENROOT_VERSION}-1"
) -> Path:
    """Adds the control files to a file tree and packs both."""
    architecture = _architecture()
    source = HERE / standin / "debian"
    control = root / "DEBIAN"
    control.mkdir(mode=0o755)
    text = (source / f"{name}.control").read_text(encoding="utf-8")
    text = text.replace("@VERSION@", version).replace("@ARCHITECTURE@", architecture)
    (control / "control").write_text(text, encoding="utf-8")
    for script in ("postinst", "prerm"):
        if (source / f"{name}.{script}").exists():
            _copy(source / f"{name}.{script}", control / script, 0o755)
    settings = sorted(path for path in root.glob("etc/**/*") if path.is_file())
    if settings:
        lines = "".join(f"/{path.relative_to(root)}\n" for path in settings)
        (control / "conffiles").write_text(lines, encoding="utf-8")
    (control / "md5sums").write_text(_checksums(root, {*settings}), encoding="utf-8")
    target = output / f"{name}_{version}_{architecture}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(_settled(root)), str(target)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return target


def _rpm(name: str, root: Path, output: Path) -> Path:
    """Packs a file tree by rpmbuild; what lies below /etc is configuration that an update keeps."""
    with tempfile.TemporaryDirectory(prefix="slipway-standin.") as scratch:
        work = Path(scratch)
        paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
        entries = [f"/{path.relative_to(root)}" for path in paths]
        marked = [f"%config(noreplace) {entry}" if entry.startswith("/etc/") else entry for entry in entries]
        (work / "files").write_text("".join(f"{entry}\n" for entry in marked), encoding="utf-8")
        text = (HERE / f"enroot/rpm/{name}.spec").read_text(encoding="utf-8")
        for mark, value in {"@VERSION@": ENROOT_VERSION, "@ROOT@": _settled(root), "@FILES@": work / "files"}.items():
            text = text.replace(mark, str(value))
        (work / "package.spec").write_text(text, encoding="utf-8")
        macros = {
            "_topdir": work / "build",
            "_rpmdir": output,
            "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "_buildhost": "localhost",
            "_build_id_links": "none",
            "__os_install_post": "%{nil}",
            "use_source_date_epoch_as_buildtime": 1,
            "clamp_mtime_to_source_date_epoch": 1,
        }
        subprocess.run(
            ["rpmbuild", "-bb", "--quiet", *(f"--define={key} {value}" for key, value in macros.items())]
            + [str(work / "package.spec")],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return next(output.glob(f"{name}-{ENROOT_VERSION}-1.el8.*.rpm"))


def _checksums(root: Path, settings: set[Path]) -> str:
    """What `dpkg --verify` compares with; conffiles are not in it, dpkg keeps those sums itself."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path not in settings)
    return "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
        if path.parts[len(root.parts)] != "DEBIAN"
    )


def _settled(root: Path) -> Path:
    """dpkg-deb only shortens time stamps to SOURCE_DATE_EPOCH, so older ones are moved up to it."""
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (epoch(), epoch()))
    return root


def build_pyxis(output: Path, family: str) -> list[Path]:
    """The source archive, the same for every family; its top directory carries the version, as upstream's does."""
    del family
    source = HERE / "pyxis"
    top = f"pyxis-{PYXIS_VERSION}"
    target = output / f"{top}.tar.gz"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(_member(top, tarfile.DIRTYPE, 0o755, 0))
        for path in sorted(source.iterdir()):
            if path.name != "Makefile" and path.suffix not in (".c", ".h", ".lds"):
                continue
            content = path.read_bytes()
            member = _member(f"{top}/{path.name}", tarfile.REGTYPE, 0o644, len(content))
            archive.addfile(member, io.BytesIO(content))
    with target.open("wb") as stream, gzip.GzipFile("", "wb", fileobj=stream, mtime=epoch()) as zipped:
        zipped.write(packed.getvalue())
    return [target]


def _member(name: str, kind: bytes, mode: int, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.mtime = kind, mode, size, epoch()
    member.uname = member.gname = "root"
    return member


def _copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _write(target: Path, text: str, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)


def _copy_tree(source: Path, target: Path, pattern: str, mode: int) -> None:
    for path in sorted(source.rglob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            _copy(path, target / path.relative_to(source), mode)


def main(argv: list[str] | None = None) -> int:
    builders: dict[str, Callable[[Path, str], list[Path]]] = {
        "enroot": build_enroot,
        "pyxis": build_pyxis,
        "nvidia_container_toolkit": build_nvidia,
    }
    parser = argparse.ArgumentParser(description="Build the stand-ins for programs that cannot be fetched.")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--family", default="Debian", choices=("Debian", "RedHat"), help="whose packages [Debian]")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(builders)}; none: all of them")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(builders))
    if unknown:
        parser.error(f"no such stand-in: {', '.join(unknown)} (there are: {', '.join(builders)})")
    if arguments.family != "Debian" and "nvidia_container_toolkit" in arguments.names:
        parser.error("the stand-in for the NVIDIA container toolkit is made for Debian's family only")
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or builders:
        for path in builders[name](output, arguments.family):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
