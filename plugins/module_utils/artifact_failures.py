"""Why an artifact could not be had, in words that say what to do."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import urllib.error

from ansible_collections.slipway.containers.plugins.module_utils.artifacts import Artifact

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Failure(Exception):
    """Why a file could not be had.

    ``transient`` failures are tried again; ``unreachable`` ones say that the whole host is down.
    """

    def __init__(
        self,
        problem: str,
        fix: str,
        found: str = "",
        expected: str = "",
        transient: bool = False,
        unreachable: bool = False,
        wait: float = 0,
    ) -> None:
        super().__init__(problem)
        self.problem, self.fix, self.found, self.expected = problem, fix, found, expected
        self.transient, self.unreachable, self.wait = transient, unreachable, wait


def http_failure(error: urllib.error.HTTPError, artifact: Artifact, mirror: str) -> Failure:
    """Say what an HTTP status means here."""
    transient = error.code >= 500 or error.code in (408, 425, 429)
    after = (error.headers.get("Retry-After") or "").strip()
    if error.code in (404, 410):
        fix = (
            "put the file into the mirror under exactly this name"
            if mirror
            else "check that %s %s exists upstream under this name" % (artifact.name, artifact.version)
        )
    elif error.code in (401, 403, 407):
        fix = "the server wants other credentials or refuses this client: put them into ~/.netrc or the URL"
    elif transient:
        fix = "run again later, or set artifact_mirror"
    else:
        fix = "open the URL in a browser and correct it"
    return Failure(
        "HTTP %d %s" % (error.code, error.reason),
        fix,
        transient=transient,
        wait=float(after) if after.isdigit() else 0,
    )


def network_failure(error: BaseException, host: str | None, mirror: str, timeout: int) -> Failure:
    """Say why a server could not be talked to."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLError):
        return Failure(
            "TLS failed: %s" % reason,
            "make the certificate authority of %s known to the control node" % host,
            unreachable=True,
        )
    if isinstance(reason, socket.gaierror):
        text = "host name %s is not known" % host
    elif isinstance(reason, socket.timeout):
        text = "%s does not answer within %d s" % (host, timeout)
    elif isinstance(reason, OSError) and reason.strerror:
        text = "%s cannot be reached: %s" % (host, reason.strerror)
    else:
        text = "the connection to %s broke: %s" % (host, reason)
    fix = (
        "start the mirror, or correct artifact_mirror"
        if mirror
        else "give the control node a way to %s (http_proxy), or set artifact_mirror" % host
    )
    return Failure(text, fix, transient=True, unreachable=True)


def storage_failure(error: OSError, cache: str) -> Failure:
    """Say what is wrong with the cache directory."""
    if error.errno in FULL:
        return Failure(
            "no space left in %s" % cache,
            "free space there, or set artifacts_cache to a directory with more room",
            os.strerror(error.errno or errno.ENOSPC),
        )
    return Failure(
        "%s cannot be written: %s" % (cache, error.strerror or error),
        "correct its owner and mode, or set artifacts_cache to a directory that you may write to",
    )
