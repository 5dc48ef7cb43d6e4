"""What is in Docker's daemon.json and what is to be: pure, bytes and dictionaries in, dictionaries and words out.

Several components own keys of this one file, and an admin others; so everything is done key by key.
A key is named ``runtimes.nvidia`` where its value lies one level deep: Docker's own keys have no dots.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, Mapping

from ansible_collections.slipway.containers.plugins.module_utils.secret_names import is_secret

NOTHING, RELOAD, RESTART = "nothing", "reload", "restart"

# https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior. Docker lists features there as well, but
# reads all but buildkit only when it starts (moby 26.1.5, daemon/reload.go and cmd/dockerd/daemon.go).
RELOADED = frozenset((
    "allow-nondistributable-artifacts",
    "authorization-plugins",
    "debug",
    "default-runtime",
    "features.buildkit",
    "insecure-registries",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "registry-mirrors",
    "runtimes",
    "shutdown-timeout",
))  # fmt: skip

# What `dockerd --validate` says: 26.1.5, and 20.10.24 which does not have it yet.
UNKNOWN_FLAG = "unknown flag: --validate"
PREFACE = re.compile(r"^unable to configure the Docker daemon with file \S+: ")
CREDENTIALS = re.compile(r"://([^/@\s]+)@")


class Invalid(ValueError):
    """A text that is not a daemon.json; the message says where and what was found."""


def _refuse_constant(name: str) -> Any:
    raise Invalid("%s is not JSON" % name)


def parse(content: bytes) -> dict[str, Any]:
    """Return the keys of a daemon.json; an empty file has none, as for Docker. Raises Invalid with line and column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise Invalid("line %d, column %d: byte 0x%02x is not UTF-8" % (line, column, content[error.start])) from None
    if not text.strip():
        return {}
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise Invalid("line %d, column %d: %s" % (error.lineno, error.colno, error.msg)) from None
    except RecursionError:
        raise Invalid("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise Invalid("line 1, column 1: expected an object, { … }, found %s" % type(found).__name__)
    return found


def render(configuration: Mapping[str, Any]) -> bytes:
    """Return the text of a daemon.json."""
    return (json.dumps(configuration, indent=2, ensure_ascii=False) + "\n").encode()


def merge(found: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``found`` with every key of ``settings``; None removes one.

    A dictionary is merged one level deeper (``runtimes``, ``log-opts``), everything else replaced.
    """
    after = dict(found)
    for key, value in settings.items():
        if isinstance(value, Mapping):
            inner = after.get(key)
            merged = {**(inner if isinstance(inner, Mapping) else {}), **value}
            after[key] = {name: item for name, item in merged.items() if item is not None}
        elif value is None:
            after.pop(key, None)
        else:
            after[key] = value
    return after


def take_back(found: Mapping[str, Any], settings: Mapping[str, Any], original: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``found`` with every key that ``settings`` names as it was in ``original``."""
    after = dict(found)
    for key, value in settings.items():
        before, inner = original.get(key), after.get(key)
        if not isinstance(value, Mapping) or not isinstance(inner, Mapping):
            _put_back(after, key, original)
            continue
        kept = dict(inner)
        for name in value:
            _put_back(kept, name, before if isinstance(before, Mapping) else {})
        after[key] = kept
        if not kept and not isinstance(before, Mapping):
            _put_back(after, key, original)
    return after


def _put_back(after: dict[str, Any], key: str, original: Mapping[str, Any]) -> None:
    if key in original:
        after[key] = original[key]
    else:
        after.pop(key, None)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the keys that differ."""
    one, two = flat(before), flat(after)
    return [key for key in sorted({*one, *two}) if (key in one) != (key in two) or not same(one.get(key), two.get(key))]


def flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys by their names, one level deep."""
    keys: dict[str, Any] = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            keys.update(("%s.%s" % (key, name), item) for name, item in value.items())
        else:
            keys[key] = value
    return keys


def same(one: Any, two: Any) -> bool:
    """Return whether two values are the same to Docker."""
    # In Python True is 1, for Docker it is not.
    return json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)


def need_of(keys: list[str]) -> str:
    """Return what makes changed keys effective: NOTHING, RELOAD or RESTART."""
    if not keys:
        return NOTHING
    return RELOAD if all(key in RELOADED or key.split(".")[0] in RELOADED for key in keys) else RESTART


def secrets(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts that must not be shown: by the name of their key, and the credentials in an address."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets(item, str(key).replace("-", "_"))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from secrets(item, name)
    elif isinstance(value, str) and value:
        if is_secret(name):
            yield value
        else:
            yield from CREDENTIALS.findall(value)


def validation_failure(succeeded: bool, output: str) -> str | None:
    """Return what `dockerd --validate` found, '' for nothing, None where this dockerd cannot validate."""
    if UNKNOWN_FLAG in output:
        return None
    if succeeded:
        return ""
    lines = [line for line in output.splitlines() if line.strip()] or ["it said nothing"]
    return PREFACE.sub("", lines[-1])
