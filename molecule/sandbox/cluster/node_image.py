"""What a node image is made of, and the key under which it is cached. Pure."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .apt_sources import DEBIAN_KEYRING, Mirror, Source
from .settings import SUITES

IMAGE = Path(__file__).resolve().parents[1] / "image"
OVERLAY = "overlay.tar"
# Nothing that a role installs (Enroot's dependencies, a compiler, Slurm's headers): nodes must
# be as bare as a site's.
PACKAGES = (
    "ca-certificates curl dbus docker-registry iproute2 iputils-ping kmod less munge "
    "openssh-server procps python3 python3-apt slurm-client slurmctld slurmd sudo systemd "
    "systemd-sysv"
)
# Slurm's PMIx of Debian 12 loads its library by the name that only the development package has.
# The node of another name has all that its packages stand for (image/rocky).
ROCKY = "createrepo-c dnf gcc jq libc6-dev libslurm-dev make parallel python3-dnf rpm squashfs-tools zstd"
ONLY_IN: dict[str, tuple[str, ...]] = {
    "trixie": ("sackd",), "bookworm": ("libpmix-dev",), "rocky": tuple(ROCKY.split()),
}  # fmt: skip
# What a role's nodes must not have: a daemon that is present but idle misleads who looks for it.
UNWANTED = {
    "controller": ("slurmd", "sackd"),
    "login": ("slurmctld", "slurmd", "docker-registry"),
    "compute": ("slurmctld", "sackd", "docker-registry"),
}
BE_ROCKY = '--customize-hook=chroot "$1" /usr/local/lib/slipway-sandbox/be_rocky'
EXCLUDED_PATHS = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")


@dataclass(frozen=True)
class NodeSource:
    """A package source as the nodes see it. `key` is empty where Debian's own keyring serves."""

    uri: str
    suite: str
    trusted: bool
    key: bytes

    @property
    def keyring(self) -> str:
        if not self.key:
            return DEBIAN_KEYRING
        suffix = "asc" if self.key.startswith(b"-----BEGIN") else "gpg"
        digest = hashlib.sha256(self.key).hexdigest()[:8]
        return f"/usr/share/keyrings/slipway-sandbox-{digest}.{suffix}"


@dataclass(frozen=True)
class Recipe:
    distribution: str
    packages: tuple[str, ...]
    sources: tuple[NodeSource, ...]
    apt_options: tuple[str, ...]
    overlay: bytes

    @property
    def key(self) -> str:
        """Changes when anything that goes into the image does."""
        parts = [
            self.distribution,
            self.packages,
            self.apt_options,
            EXCLUDED_PATHS,
            UNWANTED,
            [source_line(source, source.keyring) for source in self.sources],
            hashlib.sha256(self.overlay).hexdigest(),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def packages(distribution: str) -> tuple[str, ...]:
    return (*PACKAGES.split(), *ONLY_IN[distribution])


def key_of(source: Source) -> bytes:
    if "BEGIN PGP" in source.signed_by:
        return source.signed_by.encode()
    path = Path(source.signed_by)
    if not source.signed_by.startswith("/") or "debian-archive" in path.name:
        return b""
    return path.read_bytes() if path.is_file() else b""


def node_sources(mirror: Mirror, suite: str) -> tuple[NodeSource, ...]:
    pairs = [(mirror.archive, suite), (mirror.security, f"{suite}-security")]
    return tuple(
        NodeSource(found.uri, suite, found.trusted, key_of(found)) for found, suite in pairs if found is not None
    )


def source_line(source: NodeSource, keyring: str) -> str:
    trusted = " trusted=yes" if source.trusted else ""
    return f"deb [signed-by={keyring}{trusted}] {source.uri} {source.suite} main"


def source_files(found: tuple[NodeSource, ...]) -> dict[str, bytes]:
    """The node's own source list, and the keys in it that are not Debian's."""
    stanzas = [
        f"Types: deb\nURIs: {source.uri}\nSuites: {source.suite}\nComponents: main\n"
        f"Signed-By: {source.keyring}\n{'Trusted: yes' if source.trusted else ''}"
        for source in found
    ]
    keys = {source.keyring.lstrip("/"): source.key for source in found if source.key}
    text = "\n\n".join(stanza.strip() for stanza in stanzas) + "\n"
    return {"etc/apt/sources.list.d/debian.sources": text.encode(), **keys}


def directories(distribution: str) -> tuple[Path, ...]:
    """What is laid over the image: for every distribution, and for this one."""
    return tuple(path for path in (IMAGE / "rootfs", IMAGE / distribution) if path.is_dir())


def overlay(directories: Iterable[Path], rendered: Mapping[str, bytes]) -> bytes:
    """The files laid over the image, as root's whoever checked the repository out."""
    entries = {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mode & 0o111)
        for directory in directories
        for path in directory.rglob("*")
        if path.is_file()
    }
    entries.update({name: (data, 0) for name, data in rendered.items()})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, (data, executable) in sorted(entries.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755 if executable else 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def build_command(recipe: Recipe, directory: Path, output: Path) -> list[str]:
    """`directory` holds the overlay, and the keys that this machine's apt knows elsewhere."""
    overlay_file = shlex.quote(str(directory / OVERLAY))
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(recipe.packages)}",
        *(f"--aptopt={option}" for option in recipe.apt_options),
        *(f"--dpkgopt=path-exclude={path}" for path in EXCLUDED_PATHS),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--skip=cleanup/apt/lists",
        f"--customize-hook=tar-in {overlay_file} /",
        '--customize-hook=chroot "$1" /usr/local/lib/slipway-sandbox/customize',
        *([BE_ROCKY] if recipe.distribution == "rocky" else []),
        SUITES[recipe.distribution],
        str(output),
        *mirror_lines(recipe.sources, directory),
    ]


def mirror_lines(found: tuple[NodeSource, ...], directory: Path) -> list[str]:
    return [
        source_line(
            source,
            str(directory / Path(source.keyring).name) if source.key else source.keyring,
        )
        for source in found
    ]


def strip_script(role: str, distribution: str) -> str:
    """Makes a role's image from the common one.

    docker-registry's init script fails to stop what does not run, hence the policy.
    """
    absent = () if "sackd" in ONLY_IN[distribution] else ("sackd",)
    names = [name for name in UNWANTED[role] if name not in absent]
    drop_ins = " ".join(f"/etc/systemd/system/{name}.service.d" for name in UNWANTED[role])
    defaults = " ".join(f"/etc/default/{name}" for name in UNWANTED[role])
    policy = "/usr/sbin/policy-rc.d"
    return (
        f"printf '#!/bin/sh\\nexit 101\\n' >{policy}; chmod 755 {policy}; "
        f"dpkg --purge {' '.join(names)}; rm -rf {policy} {drop_ins} {defaults}"
    )
