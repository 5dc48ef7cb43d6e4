"""Writes container images without a container tool: a docker archive from layers. Pure but for files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BUSYBOX_VERSION = "1.0-sandbox"
BUSYBOX_RELEASE = (
    "NAME=Slipway test image\nID=slipway-test\n"
    f'VERSION_ID={BUSYBOX_VERSION}\nPRETTY_NAME="Slipway test image {BUSYBOX_VERSION}"\n'
)
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"
# Fixed, so that the same input gives the same digest on every machine.
CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """A file, a directory (name ends with a slash) or a symbolic link of a layer."""

    name: str
    data: bytes = b""
    mode: int = 0o644
    link: str = ""


def layer(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.name.rstrip("/"))
            member.mode = entry.mode
            if entry.link:
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
            elif entry.name.endswith("/"):
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(entry.data)
            archive.addfile(member, io.BytesIO(entry.data))
    return buffer.getvalue()


def busybox_layers(busybox: bytes, applets: Iterable[str]) -> list[bytes]:
    """Three layers that an importer must put together rightly: the later two take away as well."""
    folders = ("bin", "dev", "etc", "home", "mnt", "opt/emptied", "proc", "root", "run", "sbin")
    more = ("sys", "tmp", "usr/bin", "usr/sbin", "var/tmp")
    first = [
        *(Entry(f"{name}/", mode=0o755) for name in (*folders, *more)),
        Entry("bin/busybox", busybox, 0o755),
        *(Entry(name, link="/bin/busybox") for name in applets if name != "bin/busybox"),
        Entry("etc/os-release", b"ID=wrong-layer\n"),
        Entry("etc/passwd", ACCOUNTS.encode()),
        Entry("etc/group", GROUPS.encode()),
        Entry("opt/removed-by-layer-2", b"a whiteout should have hidden this file\n"),
        Entry("opt/emptied/hidden-by-layer-3", b"an opaque directory should have hidden this\n"),
    ]
    second = [
        Entry("etc/os-release", BUSYBOX_RELEASE.encode()),
        Entry("opt/.wh.removed-by-layer-2"),
    ]
    third = [
        Entry("opt/emptied/", mode=0o755),
        Entry("opt/emptied/.wh..wh..opq"),
        Entry("opt/emptied/kept", b"from layer 3\n"),
    ]
    return [layer(entries) for entries in (first, second, third)]


def configuration(digests: Iterable[str], architecture: str, name: str) -> bytes:
    digests = list(digests)
    content = {
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"SLIPWAY_IMAGE={name}"],
            "Cmd": ["/bin/sh"],
            "WorkingDir": "/",
            "Labels": {"slipway.test-image": name},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        # enroot asks for a manifest without naming a type first, and the registry makes it from this.
        "history": [{"created": CREATED, "created_by": "slipway"} for _ in digests],
    }
    return json.dumps(content).encode()


def file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_docker_archive(output: Path, layers: Iterable[Path], architecture: str, name: str) -> None:
    named = {file_digest(path): path for path in layers}
    config = configuration(named, architecture, name)
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "Layers": [f"{digest}.tar" for digest in named]}]
    with tarfile.open(output, mode="w") as archive:
        for member_name, data in (
            (config_name, config),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            member = tarfile.TarInfo(member_name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for digest, path in named.items():
            archive.add(path, arcname=f"{digest}.tar")
