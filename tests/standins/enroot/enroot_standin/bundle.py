"""Bundles: an image that starts by itself, on a machine without enroot. Upstream makes them by makeself."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import EnrootError, info

# Upstream's also unpacks below TMPDIR, and runs in a user namespace; mounts and hooks are upstream's alone.
_HEAD = """#!/bin/sh
set -eu
work=$(mktemp --directory --tmpdir enroot-bundle.XXXXXXXX)
trap 'chmod -R u+rwX "$work"; rm -rf "$work"' EXIT
tail --bytes=+{offset} "$0" > "$work/image.sqsh"
unsquashfs -quiet -no-progress -no-xattrs -dest "$work/root" "$work/image.sqsh" > "$work/log" || [ -d "$work/root/usr" ]
set +e
unshare --user --map-root-user --mount --root="$work/root" --wd=/ "$@"
exit $?
"""


def bundle(image: str, output: str | None) -> None:
    """Write a program that unpacks the image and runs its arguments inside."""
    source = Path(image)
    if not source.is_file():
        raise EnrootError(f"No such file or directory: {source}")
    target = Path(output or f"{source.stem}.run").absolute()
    if target.exists():
        raise EnrootError(f"File already exists: {target}")
    info("Generating bundle...")
    head = _HEAD
    # The offset is part of what it measures.
    while (filled := _HEAD.format(offset=len(head) + 1)) != head:
        head = filled
    try:
        with target.open("wb") as file, source.open("rb") as packed:
            file.write(head.encode())
            shutil.copyfileobj(packed, file)
        target.chmod(0o755)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
