#!/usr/bin/python
# Copyright: Slipway contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Download and verify artifacts on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifact
short_description: Download artifacts once, verified against a pin or the site's lock file
description:
  - Runs on the control node.
  - Each file is downloaded to a temporary file in I(cache_dir), verified, and renamed to a place
    named after its content.
  - A file in the cache is verified again on every run, and downloaded again when it is damaged.
  - All problems of all artifacts are reported in one failure.
author: Slipway contributors
options:
  artifacts:
    description: What is wanted. Equal entries count once.
    type: list
    elements: dict
    required: true
    options:
      name: {description: The program., type: str, required: true}
      version: {description: Its version., type: str, required: true}
      filename: {description: Its file name; also in a mirror and in the lock file., type: str, required: true}
      url: {description: Where upstream offers it., type: str, required: true}
      sha256: {description: Its checksum. Where it is empty the lock file must know it., type: str, default: ''}
  action:
    description: V(fetch) provides the files; V(lock) downloads them and records their checksums in I(lock_file).
    type: str
    choices: [fetch, lock]
    default: fetch
  cache_dir:
    description: Directory of the downloaded files.
    type: path
    required: true
  lock_file:
    description: The site's artifacts.lock.yml. It may be absent.
    type: path
    required: true
  mirror:
    description:
      - A directory or a base URL that holds the files under their I(filename).
      - With it set no other host is contacted; a redirect to another host is an error.
    type: str
    default: ''
  allow_unlocked:
    description:
      - Accept a file for which neither a pin nor the lock file has a checksum.
      - Such a file is downloaded on every run, since nothing says whether the one in the cache is right.
    type: bool
    default: false
  force:
    description: Let V(lock) replace a recorded checksum by a different one.
    type: bool
    default: false
  retries:
    description: How often a download is tried again after a failure that may pass.
    type: int
    default: 3
  retry_delay:
    description: Seconds before the first retry; doubled for each further one.
    type: float
    default: 2.0
  timeout:
    description: Seconds without a byte before a download counts as failed.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Nothing is downloaded; what would be is reported.
"""

EXAMPLES = r"""
- name: Provide the packages
  slipway.containers.artifact:
    artifacts:
      - name: enroot
        version: 4.1.2
        filename: enroot_4.1.2-1_amd64.deb
        url: https://github.com/NVIDIA/enroot/releases/download/v4.1.2/enroot_4.1.2-1_amd64.deb
    cache_dir: ~/.cache/slipway
    lock_file: inventories/example/artifacts.lock.yml
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
artifacts:
  description: >-
    By file name: path, sha256, size, url (where it came from) and downloaded (bool).
    In check mode a file that is not there yet has the path it will have; path, sha256 and size are null where unknown.
  returned: success
  type: dict
problems:
  description: What is wrong, each with artifact, url, problem, expected, found and fix.
  returned: failure
  type: list
  elements: dict
"""

import errno
import fcntl
import http.client
import os
import socket
import ssl
import tempfile
import time
import urllib.error
from dataclasses import asdict, replace
from typing import Any, Callable
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.urls import open_url
from ansible_collections.slipway.containers.plugins.module_utils import artifacts as logic

PARTIAL = ".partial-"
BLOCK = 1 << 20
REDIRECTS = 5
LONGEST_DELAY = 60
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
        path = logic.cache_path(self.cache, sha256, filename)
        try:
            if logic.digest_of(path)[0] == sha256:
                return path
        except FileNotFoundError:
            return ""
        os.unlink(path)
        self.warnings.append("%s in the cache was damaged and is downloaded again" % path)
        return ""

    def obtain(self, artifact: logic.Artifact, sha256: str, size: int | None) -> tuple[str, str, int, bool]:
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
                found, length = logic.digest_of(temporary)
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
                path = logic.cache_path(self.cache, found, artifact.filename)
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

    def fill(self, stream: Any, artifact: logic.Artifact, size: int | None) -> None:
        """Write the file's content, trying again where that may help."""
        source = logic.source_of(artifact, self.mirror)
        host = urlsplit(source).netloc if logic.is_url(source) else ""
        # A host that has just used up its retries gets one more try for each further file, not all of them.
        attempts = 1 if host in self.unreachable else self.retries + 1
        for attempt in range(attempts):
            stream.seek(0)
            stream.truncate()
            try:
                if host:
                    self.download(stream, source, artifact, size)
                else:
                    self.copy(stream, source)
                self.judge(stream, artifact, bool(host))
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

    def judge(self, stream: Any, artifact: logic.Artifact, transient: bool) -> None:
        """Refuse what is evidently something else, because a bare checksum error would not say what came."""
        head = os.pread(stream.fileno(), 65536, 0)
        if logic.looks_like_html(head, artifact.filename):
            title = logic.title_of(head)
            raise Failure(
                "an HTML page came instead of the file",
                "open the URL in a browser: a proxy's or a portal's login page is the usual cause",
                'a page titled "%s"' % title if title else "a page without a title",
            )
        if not head:
            raise Failure("the file is empty", "check the file at its source", "0 bytes", transient=transient)

    def write(self, stream: Any, block: bytes) -> None:
        """Write a block; a full disk is our problem and no failure of the download."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[stream.write(rest) :]
        except OSError as error:
            raise self.storage_failure(error) from None

    def storage_failure(self, error: OSError) -> Failure:
        """Say what is wrong with the cache directory."""
        if error.errno in FULL:
            return Failure(
                "no space left in %s" % self.cache,
                "free space there, or set artifacts_cache to a directory with more room",
                os.strerror(error.errno or errno.ENOSPC),
            )
        return Failure(
            "%s cannot be written: %s" % (self.cache, error.strerror or error),
            "correct its owner and mode, or set artifacts_cache to a directory that you may write to",
        )

    def download(self, stream: Any, url: str, artifact: logic.Artifact, size: int | None) -> None:
        """Take the file from a web server; raises Failure."""
        host = urlsplit(url).hostname
        announced, received, broken = None, 0, False
        try:
            response = self.open(url)
            announced = response.headers.get("Content-Length")
            for block in iter(lambda: response.read(BLOCK), b""):
                self.write(stream, block)
                received += len(block)
                if size is not None and received > size + BLOCK:
                    raise Failure(
                        "the file is longer than the recorded one",
                        "the server delivers something else under this URL: look at it before you record it",
                        "more than %d bytes" % size,
                        "%d bytes" % size,
                    )
        except urllib.error.HTTPError as error:
            raise self.http_failure(error, artifact) from None
        except http.client.IncompleteRead:
            broken = True
        except (OSError, http.client.HTTPException) as error:
            raise self.network_failure(error, host) from None
        if broken or (announced and announced.isdigit() and received < int(announced)):
            raise Failure(
                "the download was cut off",
                "run again; if it stays, look at the server or the proxy between",
                "%d bytes" % received,
                "%s bytes" % announced if announced else "",
                transient=True,
            )

    def open(self, url: str) -> Any:
        """Open a URL; redirects are followed by hand, since a mirror must not send us to another host."""
        for _redirect in range(REDIRECTS):
            try:
                return open_url(
                    url,
                    timeout=self.timeout,
                    http_agent="slipway",
                    follow_redirects="none",
                    decompress=False,
                    headers={"Accept-Encoding": "identity"},
                )
            except urllib.error.HTTPError as error:
                target = error.headers.get("Location") if error.code in (301, 302, 303, 307, 308) else None
                if not target:
                    raise
            target = urljoin(url, target)
            if (
                self.mirror
                and urlsplit(target).netloc.rpartition("@")[2] != urlsplit(url).netloc.rpartition("@")[2]
            ):
                raise Failure(
                    "the mirror redirects to another host",
                    "with artifact_mirror set no other host is asked: let the mirror deliver the file itself",
                    logic.redact(target),
                    "a file from %s" % urlsplit(url).hostname,
                )
            url = target
        raise Failure("redirected more than %d times" % REDIRECTS, "open the URL in a browser and correct it")

    def http_failure(self, error: urllib.error.HTTPError, artifact: logic.Artifact) -> Failure:
        """Say what an HTTP status means here."""
        transient = error.code >= 500 or error.code in (408, 425, 429)
        after = (error.headers.get("Retry-After") or "").strip()
        if error.code in (404, 410):
            fix = (
                "put the file into the mirror under exactly this name"
                if self.mirror
                else "check that %s %s exists upstream under this name" % (artifact.name, artifact.version)
            )
        elif error.code in (401, 403, 407):
            fix = (
                "the server wants other credentials or refuses this client: put them into ~/.netrc or the URL"
            )
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

    def network_failure(self, error: BaseException, host: str | None) -> Failure:
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
            text = "%s does not answer within %d s" % (host, self.timeout)
        elif isinstance(reason, OSError) and reason.strerror:
            text = "%s cannot be reached: %s" % (host, reason.strerror)
        else:
            text = "the connection to %s broke: %s" % (host, reason)
        fix = (
            "start the mirror, or correct artifact_mirror"
            if self.mirror
            else "give the control node a way to %s (http_proxy), or set artifact_mirror" % host
        )
        return Failure(text, fix, transient=True, unreachable=True)


def as_problem(artifact: logic.Artifact, source: str, failure: Failure, sha256: str) -> logic.Problem:
    """Attach what failed to its artifact."""
    expected = failure.expected or ("sha256 %s" % sha256 if sha256 else "")
    return logic.Problem(
        "%s (%s %s)" % (artifact.filename, artifact.name, artifact.version),
        logic.redact(source),
        failure.problem,
        expected,
        failure.found,
        failure.fix,
    )


def expectation(
    artifact: logic.Artifact, entry: logic.Entry | None, params: dict[str, Any]
) -> tuple[str, int | None]:
    """Return the checksum and size that a fetched file must have; raises Failure when that is not known."""
    if entry and artifact.sha256 and entry.sha256 != artifact.sha256:
        raise Failure(
            "the pin and the lock file contradict each other",
            "lock again with playbooks/lock.yml -e artifacts_lock_force=true, or correct the pin",
            "sha256 %s in %s" % (entry.sha256, params["lock_file"]),
            "sha256 %s" % artifact.sha256,
        )
    if entry:
        return entry.sha256, entry.size
    if not artifact.sha256 and not params["allow_unlocked"]:
        raise Failure(
            "no checksum is known",
            "run playbooks/lock.yml where upstream or the mirror can be reached and keep the file it writes; "
            "or accept the risk with artifacts_allow_unlocked: true",
            "no entry in %s" % params["lock_file"],
            "a recorded SHA-256",
        )
    return artifact.sha256, None


def work_off(
    store: Store, wanted: list[logic.Artifact], job: Callable[[logic.Artifact], None]
) -> list[logic.Problem]:
    """Do a job for every artifact and return what went wrong with all of them."""
    problems = []
    for artifact in wanted:
        source = logic.source_of(artifact, store.mirror)
        try:
            job(artifact)
        except Failure as failure:
            problems.append(as_problem(artifact, source, failure, artifact.sha256))
        except OSError as error:
            problems.append(as_problem(artifact, source, store.storage_failure(error), artifact.sha256))
    return problems


def fetch(
    store: Store,
    wanted: list[logic.Artifact],
    lock: dict[str, logic.Entry],
    params: dict[str, Any],
    check: bool,
) -> tuple[dict[str, Any], list[logic.Problem]]:
    """Provide every artifact; returns the result by file name, and the problems."""
    results: dict[str, Any] = {}

    def one(artifact: logic.Artifact) -> None:
        source = logic.source_of(artifact, store.mirror)
        sha256, size = expectation(artifact, lock.get(artifact.filename), params)
        try:
            if check:
                path, sha256, size, new = preview(store, artifact, sha256, size)
            else:
                path, sha256, size, new = store.obtain(artifact, sha256, size)
        except Failure as failure:
            failure.expected = failure.expected or ("sha256 %s" % sha256 if sha256 else "")
            raise
        results[artifact.filename] = {
            "path": path or None,
            "sha256": sha256 or None,
            "size": size,
            "url": logic.redact(source),
            "downloaded": new,
        }

    return results, work_off(store, wanted, one)


def preview(
    store: Store, artifact: logic.Artifact, sha256: str, size: int | None
) -> tuple[str, str, int | None, bool]:
    """Tell what ``obtain`` would do, without writing anything."""
    source = logic.source_of(artifact, store.mirror)
    if store.mirror and not logic.is_url(source) and not os.path.isfile(source):
        raise Failure("not in the mirror", "put the file into %s, or correct artifact_mirror" % store.mirror)
    if not sha256:
        return "", "", None, True
    path = logic.cache_path(store.cache, sha256, artifact.filename)
    try:
        found, length = logic.digest_of(path)
    except OSError:
        found, length = "", 0
    return path, sha256, length if found == sha256 else size, found != sha256


def record(
    store: Store, wanted: list[logic.Artifact], lock: dict[str, logic.Entry], params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, logic.Entry], list[logic.Problem]]:
    """Download every artifact and return the result, the entries to be locked, and the problems.

    Upstream is asked even for a file in the cache: noticing that it changed is what locking again is good for.
    """
    results: dict[str, Any] = {}
    entries = dict(lock)

    def one(artifact: logic.Artifact) -> None:
        entry = lock.get(artifact.filename)
        path, sha256, size, new = store.obtain(replace(artifact, sha256=""), "", None)
        if artifact.sha256 and sha256 != artifact.sha256:
            raise Failure(
                "wrong checksum",
                "do not use it before you know why it differs; a pin is corrected where it is written",
                "sha256 %s (%d bytes)" % (sha256, size),
                "sha256 %s, which is pinned" % artifact.sha256,
            )
        if entry and sha256 != entry.sha256 and not params["force"]:
            raise Failure(
                "the file has changed since it was locked",
                "find out why before you use it; then run playbooks/lock.yml -e artifacts_lock_force=true",
                "sha256 %s (%d bytes)" % (sha256, size),
                "sha256 %s (%d bytes) in %s" % (entry.sha256, entry.size, params["lock_file"]),
            )
        entries[artifact.filename] = logic.Entry(logic.redact(artifact.url), sha256, size)
        results[artifact.filename] = {
            "path": path,
            "sha256": sha256,
            "size": size,
            "url": logic.redact(logic.source_of(artifact, store.mirror)),
            "downloaded": new,
        }

    return results, entries, work_off(store, wanted, one)


def read_lock(path: str) -> tuple[str, dict[str, logic.Entry]]:
    """Return the text and the entries of the lock file; an absent one is empty. Raises LockError."""
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise logic.LockError("%s cannot be read: %s" % (path, error)) from None
    return text, logic.parse_lock(text, path)


def write_lock(path: str, text: str) -> None:
    """Replace the lock file by rename; raises OSError, and then the old one is untouched."""
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".artifacts.lock-", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def run(params: dict[str, Any], check: bool, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Do what the module was asked for and return its result; ``failed`` is set on failure."""
    outcome = "nothing was locked" if params["action"] == "lock" else "nothing was installed"
    mirror = params["mirror"]
    if mirror and not logic.is_url(mirror):
        mirror = os.path.expanduser(mirror.removeprefix("file://"))
        if not os.path.isdir(mirror) or not os.path.isabs(mirror):
            message = (
                "artifact_mirror: %s is neither a base URL (http://… or https://…) nor the absolute path of a "
                "directory; %s. Correct artifact_mirror." % (mirror, outcome)
            )
            return {"failed": True, "msg": message, "problems": []}
    try:
        text, lock = read_lock(params["lock_file"])
    except logic.LockError as error:
        message = (
            "The lock file cannot be used: %s; %s. Correct that line, or take the file back from version control."
            % (error, outcome)
        )
        return {"failed": True, "msg": message, "problems": []}
    wanted, problems = logic.merge(params["artifacts"])
    store = Store(
        params["cache_dir"], mirror, params["retries"], params["retry_delay"], params["timeout"], sleep=sleep
    )
    result: dict[str, Any] = {"changed": False, "artifacts": {}}
    if params["action"] == "fetch":
        result["artifacts"], found = fetch(store, wanted, lock, params, check)
        problems += found
        result["changed"] = any(item["downloaded"] for item in result["artifacts"].values())
    elif check:
        result["changed"] = any(item.filename not in lock for item in wanted)
    elif not problems:
        result["artifacts"], entries, problems = record(store, wanted, lock, params)
        rendered = logic.render_lock(entries)
        if not problems and rendered != text:
            try:
                write_lock(params["lock_file"], rendered)
            except OSError as error:
                message = "%s cannot be written: %s. %s." % (
                    params["lock_file"],
                    error.strerror,
                    outcome.capitalize(),
                )
                return {"failed": True, "msg": message, "problems": []}
            result["changed"] = True
            result["diff"] = {
                "before": text,
                "after": rendered,
                "before_header": params["lock_file"],
                "after_header": params["lock_file"],
            }
    if problems:
        result["failed"] = True
        result["msg"] = logic.render_problems(problems, outcome)
        result["problems"] = [asdict(problem) for problem in problems]
    result["warnings"] = store.warnings
    return result


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "artifacts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "version": {"type": "str", "required": True},
                    "filename": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "sha256": {"type": "str", "default": ""},
                },
            },
            "action": {"type": "str", "choices": ["fetch", "lock"], "default": "fetch"},
            "cache_dir": {"type": "path", "required": True},
            "lock_file": {"type": "path", "required": True},
            "mirror": {"type": "str", "default": ""},
            "allow_unlocked": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2.0},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if logic.yaml is None:
        module.fail_json(
            msg="%s Run this module with Ansible's own Python: "
            "set ansible_python_interpreter to {{ ansible_playbook_python }} for localhost."
            % missing_required_lib("PyYAML")
        )
    result = run(module.params, module.check_mode)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
