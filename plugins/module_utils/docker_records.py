"""Which keys of daemon.json each role wrote, so that it can take back those that it names no more: pure.

The file says what is, and the original what was before Slipway; neither says whose a key is that left the inventory.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import docker_daemon

# By owner, what it wrote: the values by the keys' names, None for a key that it took out.
Records = dict[str, dict[str, Any]]


def named(names: Iterable[str]) -> dict[str, Any]:
    """Return keys of these names as ``take_back`` takes them; their values do not matter there."""
    keys: dict[str, Any] = {}
    for name in names:
        key, _dot, inner = name.partition(".")
        keys[key] = {**(keys.get(key) or {}), inner: None} if inner else keys.get(key)
    return keys


def _of_others(records: Records, owner: str) -> set[str]:
    return {name for other, record in records.items() if other != owner for name in record}


def dropped(records: Records, owner: str, settings: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the names of keys that ``owner`` wrote, does not name any more, and nobody has changed since.

    One that another owner has written as well stays that one's.
    """
    others, wanted, now = _of_others(records, owner), docker_daemon.flat(settings), docker_daemon.flat(found)
    return [
        name
        for name, value in records.get(owner, {}).items()
        if name not in wanted
        and name not in others
        and (name not in now if value is None else name in now and docker_daemon.same(now[name], value))
    ]


def taken_back(records: Records, owner: str, settings: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the names of keys that go with ``owner``: of those in ``settings`` the ones it wrote, and what it dropped.

    Where nothing is recorded, an earlier release may have written them all.
    """
    wanted, others = docker_daemon.flat(settings), _of_others(records, owner)
    own = records.get(owner, {}) if records else wanted
    names = [name for name in wanted if name in own and name not in others]
    return names + dropped(records, owner, settings, found)


def note(original: Mapping[str, Any], after: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is noted of ``settings``: keys that are another than before Slipway, the only ones to take back."""
    ours, now = docker_daemon.flat(settings), docker_daemon.flat(after)
    return {name: now.get(name) for name in docker_daemon.changed_keys(original, after) if name in ours}


def parse(content: bytes) -> Records:
    """Return which keys each owner wrote, and what it wrote; a file that was damaged says nothing."""
    try:
        found = docker_daemon.parse(content)
    except docker_daemon.Invalid:
        return {}
    return {owner: record for owner, record in found.items() if isinstance(record, dict)}
