"""What is done with artifacts: provide them as pinned or locked, or record what they are."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Callable

from ansible_collections.slipway.containers.plugins.module_utils.artifact_failures import Failure, storage_failure
from ansible_collections.slipway.containers.plugins.module_utils.artifact_lock import Entry
from ansible_collections.slipway.containers.plugins.module_utils.artifact_store import Store, cache_path, digest_of
from ansible_collections.slipway.containers.plugins.module_utils.artifacts import (
    Artifact,
    Problem,
    is_url,
    redact,
    source_of,
)


def _as_problem(artifact: Artifact, source: str, failure: Failure, sha256: str) -> Problem:
    """Attach what failed to its artifact."""
    expected = failure.expected or ("sha256 %s" % sha256 if sha256 else "")
    return Problem(
        "%s (%s %s)" % (artifact.filename, artifact.name, artifact.version),
        redact(source),
        failure.problem,
        expected,
        failure.found,
        failure.fix,
    )


def _expectation(artifact: Artifact, entry: Entry | None, params: dict[str, Any]) -> tuple[str, int | None]:
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


def _work_off(store: Store, wanted: list[Artifact], job: Callable[[Artifact], None]) -> list[Problem]:
    """Do a job for every artifact and return what went wrong with all of them."""
    problems = []
    for artifact in wanted:
        source = source_of(artifact, store.mirror)
        try:
            job(artifact)
        except Failure as failure:
            problems.append(_as_problem(artifact, source, failure, artifact.sha256))
        except OSError as error:
            problems.append(_as_problem(artifact, source, storage_failure(error, store.cache), artifact.sha256))
    return problems


def fetch(
    store: Store,
    wanted: list[Artifact],
    lock: dict[str, Entry],
    params: dict[str, Any],
    check: bool,
) -> tuple[dict[str, Any], list[Problem]]:
    """Provide every artifact; returns the result by file name, and the problems."""
    results: dict[str, Any] = {}

    def one(artifact: Artifact) -> None:
        source = source_of(artifact, store.mirror)
        sha256, size = _expectation(artifact, lock.get(artifact.filename), params)
        try:
            if check:
                path, sha256, size, new = _preview(store, artifact, sha256, size)
            else:
                path, sha256, size, new = store.obtain(artifact, sha256, size)
        except Failure as failure:
            failure.expected = failure.expected or ("sha256 %s" % sha256 if sha256 else "")
            raise
        results[artifact.filename] = {
            "path": path or None,
            "sha256": sha256 or None,
            "size": size,
            "url": redact(source),
            "downloaded": new,
        }

    return results, _work_off(store, wanted, one)


def _preview(store: Store, artifact: Artifact, sha256: str, size: int | None) -> tuple[str, str, int | None, bool]:
    """Tell what ``obtain`` would do, without writing anything."""
    source = source_of(artifact, store.mirror)
    if store.mirror and not is_url(source) and not os.path.isfile(source):
        raise Failure("not in the mirror", "put the file into %s, or correct artifact_mirror" % store.mirror)
    if not sha256:
        return "", "", None, True
    path = cache_path(store.cache, sha256, artifact.filename)
    try:
        found, length = digest_of(path)
    except OSError:
        found, length = "", 0
    return path, sha256, length if found == sha256 else size, found != sha256


def record(
    store: Store, wanted: list[Artifact], lock: dict[str, Entry], params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Entry], list[Problem]]:
    """Download every artifact and return the result, the entries to be locked, and the problems.

    Upstream is asked even for a file in the cache: noticing that it changed is what locking again is good for.
    """
    results: dict[str, Any] = {}
    entries = dict(lock)

    def one(artifact: Artifact) -> None:
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
        entries[artifact.filename] = Entry(redact(artifact.url), sha256, size)
        results[artifact.filename] = {
            "path": path,
            "sha256": sha256,
            "size": size,
            "url": redact(source_of(artifact, store.mirror)),
            "downloaded": new,
        }

    return results, entries, _work_off(store, wanted, one)
