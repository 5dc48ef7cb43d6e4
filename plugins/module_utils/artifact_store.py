"""The cache of artifacts on the control node: every file in it is verified."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from typing import Any, Callable
from urllib.parse import urlsplit

from ansible_collections.slipway.containers.plugins.module_utils.artifact_download import BLOCK, download, judge
from ansible_collections.slipway.containers.plugins.module_utils.artifact_failures import Failure, storage_failure
from ansible_collections.slipway.containers.plugins.module_utils.artifacts import Artifact, is_url, source_of

PARTIAL = ".partial-"
LONGEST_DELAY = 60


def cache_path(cache: str, sha256: str, filename: str) -> str:
    """Return where a file of this content is kept; its own name stays, because package managers look at it."""
    return os.path.join(cache, sha256[:16], filename)


def digest_of(path: str) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


class Store:
    """The cache directory, and the one way a file gets into it."""

    def __init__(
        self,
        cache: str,
        mirror: str = "",
        retries: int = 3,
        retry_delay: float = 2.0,
        timeout: int = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cache, self.mirror = cache, mirror
        self.retries, self.retry_delay, self.timeout, self.sleep = retries, retry_delay, timeout, sleep
        self.unreachable: set[str] = set()
        self.warnings: list[str] = []

    def cached(self, sha256: str, filename: str) -> str:
        """Return the path of a verified file in the cache, or nothing; a damaged file is removed."""
        path = cache_path(self.cache, sha256, filename)
        try:
            if digest_of(path)[0] == sha256:
                return path
        except FileNotFoundError:
            return ""
        os.unlink(path)
        self.warnings.append("%s in the cache was damaged and is downloaded again" % path)
        return ""

    def obtain(self, artifact: Artifact, sha256: str, size: int | None) -> tuple[str, str, int, bool]:
        """Return (path, sha256, size, whether the cache changed) of a file, downloading it where needed.

        An empty ``sha256`` takes what comes. Raises Failure or OSError; then nothing of the file is left behind.
        """
        if sha256:
            path = self.cached(sha256, artifact.filename)
            if path:
                return path, sha256, os.path.getsize(path), False
        os.makedirs(self.cache, mode=0o755, exist_ok=True)
        self.sweep()
        descriptor, temporary = tempfile.mkstemp(prefix=PARTIAL, dir=self.cache)
        # Unbuffered: a buffer that could not be written would raise once more on closing and hide the cause.
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            try:
                # The lock tells a sweeping run that this file is in use; a killed run's lock is gone.
                fcntl.flock(stream, fcntl.LOCK_EX)
                self.fill(stream, artifact, size)
                os.fsync(stream.fileno())
                found, length = digest_of(temporary)
                if sha256 and found != sha256:
                    cut = size is not None and length < size
                    raise Failure(
                        "the file is cut off" if cut else "wrong checksum",
                        "do not use it before you know why it differs; if upstream or the mirror replaced the file "
                        "for a good reason, record the new one with playbooks/lock.yml -e artifacts_lock_force=true "
                        "(a checksum pinned in a role's vars or in the inventory is corrected there)",
                        "sha256 %s (%d bytes)" % (found, length),
                        "sha256 %s%s" % (sha256, "" if size is None else " (%d bytes)" % size),
                    )
                if not sha256:
                    path = self.cached(found, artifact.filename)
                    if path:
                        os.unlink(temporary)
                        return path, found, length, False
                path = cache_path(self.cache, found, artifact.filename)
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                os.chmod(temporary, 0o644)
                os.rename(temporary, path)
            except BaseException:
                if os.path.lexists(temporary):
                    os.unlink(temporary)
                raise
        return path, found, length, True

    def sweep(self) -> None:
        """Remove what a killed run left."""
        for name in os.listdir(self.cache):
            if not name.startswith(PARTIAL):
                continue
            path = os.path.join(self.cache, name)
            try:
                with open(path, "rb") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)
            except OSError:  # in use by another run, or gone already
                continue

    def fill(self, stream: Any, artifact: Artifact, size: int | None) -> None:
        """Write the file's content, trying again where that may help."""
        source = source_of(artifact, self.mirror)
        host = urlsplit(source).netloc if is_url(source) else ""
        # A host that has just used up its retries gets one more try for each further file, not all of them.
        attempts = 1 if host in self.unreachable else self.retries + 1
        for attempt in range(attempts):
            stream.seek(0)
            stream.truncate()
            try:
                if host:
                    download(lambda block: self.write(stream, block), source, artifact, size, self.mirror, self.timeout)
                else:
                    self.copy(stream, source)
                judge(os.pread(stream.fileno(), 65536, 0), artifact, bool(host))
                return
            except Failure as failure:
                if not failure.transient or attempt + 1 == attempts:
                    if failure.unreachable:
                        self.unreachable.add(host)
                    if failure.transient and attempts > 1:
                        failure.problem += " (tried %d times)" % attempts
                    raise
                self.sleep(min(LONGEST_DELAY, max(self.retry_delay * 2**attempt, failure.wait)))

    def copy(self, stream: Any, source: str) -> None:
        """Take the file from a directory."""
        try:
            with open(source, "rb") as original:
                for block in iter(lambda: original.read(BLOCK), b""):
                    self.write(stream, block)
        except OSError as error:
            fix = "put the file into %s, or correct artifact_mirror" % self.mirror
            raise Failure("not in the mirror: %s" % error.strerror, fix) from None

    def write(self, stream: Any, block: bytes) -> None:
        """Write a block; a full disk is our problem and no failure of the download."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[stream.write(rest) :]
        except OSError as error:
            raise storage_failure(error, self.cache) from None
