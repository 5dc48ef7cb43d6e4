"""Files of a node, changed so that a kill at any moment leaves the old one or the new one.

Everything is written to a temporary file beside its destination and renamed over it.
What stood there before Slipway is kept once under ``ORIGINALS``, outside every directory that a program globs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import struct

from ansible_collections.slipway.containers.plugins.module_utils import mounts

ORIGINALS = "/var/lib/slipway/original"
TEMPORARY_PREFIX = ".slipway-"
# What says that Slipway wrote a file: its own name in the path, or this text (slipway_managed) in it.
NAME = "slipway"
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


def make_directories(path: str) -> None:
    """Create a directory and its parents, 0755 each, whatever umask the administrator's shell has."""
    previous = os.umask(0o022)
    try:
        os.makedirs(path, mode=0o755, exist_ok=True)
    finally:
        os.umask(previous)


def clear_leftovers(path: str) -> None:
    """Delete the temporary files that a killed run left while it wrote ``path``."""
    directory, name = os.path.split(path)
    leftover = re.compile(re.escape(TEMPORARY_PREFIX + name[:200]) + "-[0-9a-f]{8}")
    for entry in os.listdir(directory) if os.path.isdir(directory) else []:
        if leftover.fullmatch(entry):
            os.unlink(os.path.join(directory, entry))


def _temporary(path: str) -> str:
    directory, name = os.path.split(path)
    clear_leftovers(path)
    return os.path.join(directory, "%s%s-%s" % (TEMPORARY_PREFIX, name[:200], secrets.token_hex(4)))


def _rename(temporary: str, path: str) -> None:
    os.rename(temporary, path)
    sync_directory(os.path.dirname(path))


def write_atomically(path: str, content: bytes, mode: int, owner: int, group: int) -> None:
    """Replace a file by rename; raises OSError, and then the old file is untouched."""
    temporary = _temporary(path)
    # Exclusive: never through a link that somebody put there.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchown(stream.fileno(), owner, group)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        _rename(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def link_atomically(path: str, target: str) -> None:
    """Point a symbolic link at ``target`` by rename: no moment without the link."""
    temporary = _temporary(path)
    os.symlink(target, temporary)
    try:
        _rename(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def is_ours(path: str) -> bool:
    """Tell whether Slipway wrote what stands at ``path``: the path, a link's target or a file's text says so."""
    if NAME in path:
        return True
    if os.path.islink(path):
        return NAME in os.readlink(path)
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as stream:
        return MARKER.encode() in stream.read()


def original_of(path: str, originals: str = ORIGINALS) -> str:
    """Return where the file that stood at ``path`` before Slipway is kept."""
    return os.path.join(originals, path.lstrip("/"))


def has_original(path: str, originals: str = ORIGINALS) -> bool:
    """Tell whether something is kept for ``path``, and the directory that it goes back to is there."""
    kept = original_of(path, originals)
    return (os.path.islink(kept) or os.path.isfile(kept)) and os.path.isdir(os.path.dirname(path))


def keep_original(path: str, originals: str = ORIGINALS) -> str | None:
    """Keep what stands at ``path``, once; returns where, or None when there was nothing foreign to keep."""
    kept = original_of(path, originals)
    if os.path.lexists(kept) or not os.path.lexists(path) or is_ours(path):
        return None
    return kept if _copy(path, kept) else None


def _copy(source: str, destination: str) -> bool:
    """Copy a link or a regular file with its owner and mode; returns False for anything else."""
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        make_directories(os.path.dirname(destination))
        link_atomically(destination, os.readlink(source))
    elif stat.S_ISREG(status.st_mode):
        make_directories(os.path.dirname(destination))
        with open(source, "rb") as stream:
            content = stream.read()
        write_atomically(destination, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    else:
        return False
    return True


def restore_original(path: str, originals: str = ORIGINALS) -> bool:
    """Put back, by rename, what stood at ``path`` before Slipway; returns False when nothing was kept."""
    if not has_original(path, originals):
        return False
    _copy(original_of(path, originals), path)
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


def removal_problem(path: str) -> str:
    """Return why a directory must not be removed with all that is in it, '' when it may.

    A value that came out empty in an inventory turns /var/lib/x/data into /, and a removal crosses mount points.
    """
    real = os.path.realpath(path)
    if real.count("/") < 2:
        return "%s is a top-level directory" % real
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        points = mounts.parse_mountinfo(stream.read())
    inside = sorted(point for point in points if point == real or point.startswith(real + "/"))
    return "%s is a mount point" % inside[0] if inside else ""


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
        return
    try:
        os.removexattr(path, CAPABILITY_ATTRIBUTE)
    except OSError as error:
        # chown removes the attribute by itself, and some filesystems have none.
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
