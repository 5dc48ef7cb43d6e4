"""Images: fetched and packed (import), unpacked (create, load), packed again (export)."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from . import reference
from .errors import EnrootError, info
from .registry import Registry

_DECOMPRESSORS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def import_image(uri: str, output: str | None, architecture: str) -> None:
    """Fetches an image and packs it: each layer expanded, stacked by overlayfs, read by mksquashfs."""
    if not uri.startswith("docker://"):
        raise EnrootError(f"Invalid argument: {uri} (the stand-in knows docker:// only)")
    where = reference.parse(uri)
    target = Path(output or where.filename).absolute()
    if target.exists():
        raise EnrootError(f"File already exists: {target}")
    # mksquashfs fails on a target it cannot write; say so before the download.
    if not os.access(target.parent, os.W_OK):
        raise EnrootError(f"Cannot write to: {target.parent}")
    config, layers = _fetch(Registry(where), architecture)
    scratch = tempfile.mkdtemp(prefix="enroot.", dir=os.environ["ENROOT_TEMP_PATH"])
    try:
        info("Extracting image layers...")
        for number, layer in enumerate(layers, start=1):
            _extract(layer, Path(scratch, str(number)))
        info("Converting whiteouts...")
        for number in range(1, len(layers) + 1):
            _run(["enroot-aufs2ovlfs", str(number)], cwd=scratch)
        _write_configuration(Path(scratch, "0"), uri, config)
        info("Creating squashfs filesystem...")
        stack = ":".join(["0", *(str(number) for number in range(len(layers), 0, -1))])
        _run(["enroot-mksquashovlfs", stack, str(target), *_squash_options()], cwd=scratch)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        remove_tree(scratch)


def _fetch(registry: Registry, architecture: str) -> tuple[dict[str, Any], list[Path]]:
    cache = Path(os.environ["ENROOT_CACHE_PATH"])
    registry.authenticate()
    manifest = registry.manifest(architecture)
    digests = [layer["digest"] for layer in manifest["layers"]]
    wanted = {*digests, manifest["config"]["digest"]}
    missing = [digest for digest in wanted if not (cache / digest.removeprefix("sha256:")).is_file()]
    info(f"Downloading {len(missing)} missing layers..." if missing else "Found all layers in cache")
    config = json.loads(registry.blob(manifest["config"]["digest"], cache).read_bytes())
    return config, [registry.blob(digest, cache) for digest in digests]


def _extract(layer: Path, directory: Path) -> None:
    """Expands one layer as the user: no devices, and nothing that its owner could not read again."""
    directory.mkdir()
    with layer.open("rb") as stream:
        magic = stream.read(4)
    program = next((name for start, name in _DECOMPRESSORS.items() if magic.startswith(start)), "cat")
    command = [os.environ.get("ENROOT_GZIP_PROGRAM", "gzip") if program == "gzip" else program]
    command += [] if program == "cat" else ["-d", "-c"]
    with (
        subprocess.Popen([*command, str(layer)], stdout=subprocess.PIPE) as pipe,
        tarfile.open(fileobj=pipe.stdout, mode="r|") as archive,
    ):
        # From 3.14 on the default filter refuses absolute links; every image has some.
        archive.extraction_filter = lambda member, path: member
        root = os.path.realpath(directory)
        for member in archive:
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                continue
            parent = os.path.realpath(os.path.join(root, os.path.dirname(member.name)))
            if os.path.commonpath([root, parent]) != root:
                raise EnrootError(f"Layer leaves its directory: {member.name}")
            member.mode |= 0o700 if member.isdir() else 0o400
            archive.extract(member, root, set_attrs=not member.issym(), numeric_owner=True)
    if pipe.returncode != 0:
        raise EnrootError(f"Failed to decompress: {layer}")


def _write_configuration(directory: Path, uri: str, config: dict[str, Any]) -> None:
    """The three files of an enroot image that say how it starts."""
    settings = config.get("config") or {}
    etc = directory / "etc"
    etc.mkdir(parents=True)
    environment = "".join(f"{entry}\n" for entry in settings.get("Env") or [])
    (etc / "environment").write_text(environment, encoding="utf-8")
    (etc / "fstab").write_text("", encoding="utf-8")
    (etc / "rc").write_text(command_script(uri, settings), encoding="utf-8")


def command_script(uri: str, settings: dict[str, Any]) -> str:
    """/etc/rc: the image's directory, entrypoint and command."""
    directory = shlex.quote(settings.get("WorkingDir") or "/")
    entrypoint = shlex.join(settings.get("Entrypoint") or [])
    command = shlex.join(settings.get("Cmd") or ["/bin/sh"])
    return (
        f"# enroot-provenance: {uri}\n"
        f"mkdir -p {directory} 2> /dev/null\n"
        f"cd {directory} && unset OLDPWD || exit 1\n"
        "\n"
        "if [ -s /etc/rc.local ]; then\n"
        "    . /etc/rc.local\n"
        "fi\n"
        "\n"
        "if [ $# -gt 0 ]; then\n"
        f'    exec {entrypoint} "$@"\n'
        "else\n"
        f"    exec {entrypoint} {command}\n"
        "fi\n"
    )


def create(image: str, name: str | None, *, force: bool) -> None:
    """Unpacks an image below ENROOT_DATA_PATH."""
    source = Path(image).absolute()
    if not source.is_file():
        raise EnrootError(f"No such file or directory: {source}")
    target = container_path(name or source.name.removesuffix(".sqsh"))
    if target.exists():
        if not force:
            raise EnrootError(f"File already exists: {target}")
        remove_tree(target)
    info("Extracting squashfs filesystem...")
    unpack(source, target)


def unpack(source: Path, target: Path) -> None:
    command = ["unsquashfs", "-no-progress", "-user-xattrs", "-processors", _processors()]
    done = subprocess.run([*command, "-d", str(target), str(source)], check=False)
    # 2: everything is there but what an ordinary user may not create (devices).
    if done.returncode not in (0, 2):
        remove_tree(target)
        raise EnrootError("", status=done.returncode)


def load(uri: str, name: str | None, architecture: str, *, force: bool) -> None:
    """Upstream writes the root filesystem straight from the layers; here it is import and create."""
    if not os.environ.get("ENROOT_NATIVE_OVERLAYFS"):
        raise EnrootError("ENROOT_NATIVE_OVERLAYFS=y is required for enroot load")
    scratch = tempfile.mkdtemp(prefix="enroot.", dir=os.environ["ENROOT_TEMP_PATH"])
    try:
        import_image(uri, f"{scratch}/image.sqsh", architecture)
        name = name or reference.parse(uri).filename.removesuffix(".sqsh")
        create(f"{scratch}/image.sqsh", name, force=force)
    finally:
        remove_tree(scratch)


def export(name: str, output: str | None, *, force: bool) -> None:
    """Packs a container's root filesystem into an image."""
    source = container_path(name)
    if not source.is_dir():
        raise EnrootError(f"No such file or directory: {source}")
    target = Path(output or f"{name}.sqsh").absolute()
    if target.exists():
        if not force:
            raise EnrootError(f"File already exists: {target}")
        target.unlink()
    info("Creating squashfs filesystem...")
    _run(["mksquashfs", str(source), str(target), *_squash_options()])


def container_path(name: str) -> Path:
    if not name or "/" in name or name in (".", ".."):
        raise EnrootError(f"Invalid argument: {name}")
    return Path(os.environ["ENROOT_DATA_PATH"], name)


def remove_tree(path: str | Path) -> None:
    """Removes a tree whose directories an image may have made unwritable."""
    if not os.path.lexists(path):
        return
    subprocess.run(["chmod", "-R", "--silent", "u+rwX", "--", str(path)], check=False)
    shutil.rmtree(path)


def _squash_options() -> list[str]:
    options = shlex.split(os.environ["ENROOT_SQUASH_OPTIONS"])
    return ["-noappend", "-all-root", "-no-progress", "-processors", _processors(), *options]


def _processors() -> str:
    wanted = int(os.environ["ENROOT_MAX_PROCESSORS"])
    return str(wanted or os.cpu_count() or 1)


def _run(command: list[str], cwd: str | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise EnrootError(f"Command not found: {command[0]}") from None
    if done.returncode != 0:
        raise EnrootError("", status=done.returncode if done.returncode > 0 else 1)
