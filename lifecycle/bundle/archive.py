"""Write a bundle: one tar whose bytes depend on its contents and on nothing else."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lifecycle.bootstrap import digest_of

FORMAT = 1
MANIFEST = "manifest.json"


def manifest(
    files: Mapping[str, Path], wheels: Mapping[str, Sequence[str]], version: str, built: int
) -> dict[str, Any]:
    """Return the manifest: every file's checksum and size, and the wheels of every kind of node.

    ``wheels`` is by ``<python>/<machine>``; ``built`` is in seconds since 1970: the commit's time, not the hour of day.
    """
    return {
        "slipway_bundle": FORMAT,
        "version": version,
        "built": built,
        "wheels": {kind: sorted(names) for kind, names in sorted(wheels.items())},
        "files": {
            name: {"sha256": digest_of(str(path)), "size": path.stat().st_size} for name, path in sorted(files.items())
        },
    }


def write(directory: Path, files: Mapping[str, Path], described: Mapping[str, Any]) -> Path:
    """Write the tar into a directory, and return it under the name that its content gives it."""
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / ".partial.tar"
    built = int(described["built"])
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
        text = render(described).encode()
        archive.addfile(_entry(MANIFEST, len(text), built), io.BytesIO(text))
        for name, path in sorted(files.items()):
            with path.open("rb") as stream:
                archive.addfile(_entry(name, path.stat().st_size, built), stream)
    digest = digest_of(str(partial))
    target = directory / ("slipway-%s.tar" % digest[:16])
    partial.replace(target)
    target.with_name(target.name + ".sha256").write_text("%s  %s\n" % (digest, target.name), encoding="ascii")
    return target


def render(described: Mapping[str, Any]) -> str:
    """Return a manifest as text."""
    return json.dumps(described, indent=1, sort_keys=True) + "\n"


def _entry(name: str, size: int, built: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, built, 0o644
    return entry
