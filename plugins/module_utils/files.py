"""Files of a node, changed so that a kill at any moment leaves the old one or the new one.

Everything is written to a temporary file beside its destination and renamed over it.
What stood there before Slipway is kept once under ``ORIGINALS``, outside every directory that a program globs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import tempfile

ORIGINALS = "/var/lib/slipway/original"
TEMPORARY_PREFIX = ".slipway-"
MARKER = "Managed by Slipway"

# Bit numbers of linux/capability.h; the names are setcap's.
CAPABILITIES = {"cap_sys_chroot": 18, "cap_sys_admin": 21, "cap_mknod": 27, "cap_setuid": 7, "cap_setgid": 6}
CAPABILITY_ATTRIBUTE = "security.capability"
VFS_CAP_REVISION_2 = 0x02000000
VFS_CAP_FLAGS_EFFECTIVE = 0x000001


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def sync_directory(path: str) -> None:
    """Make a rename in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: str, content: bytes, mode: int, owner: int, group: int) -> None:
    """Replace a file by rename; raises OSError, and then the old file is untouched."""
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchown(stream.fileno(), owner, group)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.rename(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    sync_directory(directory)


def link_atomically(path: str, target: str) -> None:
    """Point a symbolic link at ``target`` by rename: no moment without the link."""
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, "%s%s-%d" % (TEMPORARY_PREFIX, os.path.basename(path), os.getpid()))
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    try:
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(directory)


def original_of(path: str, originals: str = ORIGINALS) -> str:
    """Return where the file that stood at ``path`` before Slipway is kept."""
    return os.path.join(originals, path.lstrip("/"))


def keep_original(path: str, originals: str = ORIGINALS) -> str | None:
    """Keep what stands at ``path``, once; returns where, or None when there was nothing foreign to keep."""
    kept = original_of(path, originals)
    if os.path.lexists(kept) or not os.path.lexists(path):
        return None
    if os.path.islink(path):
        os.makedirs(os.path.dirname(kept), mode=0o755, exist_ok=True)
        os.symlink(os.readlink(path), kept)
        return kept
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return None
    with open(path, "rb") as stream:
        content = stream.read()
    if MARKER.encode() in content:
        return None
    os.makedirs(os.path.dirname(kept), mode=0o755, exist_ok=True)
    status = os.stat(path)
    write_atomically(kept, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return kept


def restore_original(path: str, originals: str = ORIGINALS) -> bool:
    """Put back what stood at ``path`` before Slipway; returns False when nothing was kept."""
    kept = original_of(path, originals)
    if not os.path.lexists(kept) or not os.path.isdir(os.path.dirname(path)):
        return False
    if os.path.islink(kept):
        link_atomically(path, os.readlink(kept))
    else:
        status = os.stat(kept)
        with open(kept, "rb") as stream:
            write_atomically(path, stream.read(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    forget_original(path, originals)
    return True


def forget_original(path: str, originals: str = ORIGINALS) -> None:
    """Delete the kept copy and the directories that it alone needed."""
    kept = original_of(path, originals)
    if os.path.lexists(kept):
        os.unlink(kept)
    directory = os.path.dirname(kept)
    while len(directory) >= len(originals) and os.path.isdir(directory) and not os.listdir(directory):
        os.rmdir(directory)
        directory = os.path.dirname(directory)


def remove_path(path: str, recursive: bool) -> None:
    """Remove a file, a link, or a directory (only an empty one unless ``recursive``)."""
    if os.path.isdir(path) and not os.path.islink(path):
        if recursive:
            shutil.rmtree(path)
        else:
            os.rmdir(path)
    else:
        os.unlink(path)


def encode_capabilities(names: list[str]) -> bytes:
    """Return the extended attribute for permitted and effective file capabilities (capabilities(7)), b'' for none.

    Raises ValueError for a name that is not in ``CAPABILITIES``.
    """
    unknown = sorted(set(names) - set(CAPABILITIES))
    if unknown:
        raise ValueError("unknown file capability %s; known are %s" % (unknown[0], ", ".join(sorted(CAPABILITIES))))
    if not names:
        return b""
    permitted = sum(1 << CAPABILITIES[name] for name in set(names))
    magic = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE
    return struct.pack("<IIIII", magic, permitted & 0xFFFFFFFF, 0, permitted >> 32, 0)


def read_capabilities(path: str) -> bytes:
    """Return the raw file-capability attribute, empty when there is none."""
    try:
        return os.getxattr(path, CAPABILITY_ATTRIBUTE)
    except OSError:
        return b""


def write_capabilities(path: str, encoded: bytes) -> None:
    """Set the raw file-capability attribute, or remove it when it is empty; raises OSError."""
    if encoded:
        os.setxattr(path, CAPABILITY_ATTRIBUTE, encoded)
    else:
        os.removexattr(path, CAPABILITY_ATTRIBUTE)
