"""Which profile a node has: declared, or found from what it has; ours are `profiles/`, a site adds to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from validate import catalogue, profile_form
from validate.errors import CannotStart
from validate.model import Profile

DIRECTORY = Path(__file__).parent / "profiles"
# Those of nodes of which nothing else says their kind.
GENERAL = ("nvidia", "amd", "neuron", "cpu")
LOGIN = Profile("login")


def load(site: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Profile]:
    """Return every profile by its kind: ours, with what a site says of them (``validate_profiles``) and its own.

    A site's key replaces ours of that name, in ``skip`` and ``expect`` each key by itself.
    """
    found = {**_ours()}
    for kind, content in (site or {}).items():
        known = record(found.get(kind, Profile(kind)))
        merged = {key: {**known[key], **(content.get(key) or {})} for key in ("skip", "expect")}
        found[kind] = from_record({**known, **content, **merged, "kind": kind})
    return found


@cache
def _ours() -> dict[str, Profile]:
    """Return the profiles of ``profiles/``; ValueError for a file that is none."""
    contents = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.yml"))}
    problems = profile_form.faults(contents, catalogue.load())
    if problems:
        raise ValueError("\n".join(f"profiles: {problem}" for problem in problems))
    return {kind: from_record({**content, "kind": kind}) for kind, content in contents.items()}


def from_record(content: Mapping[str, Any]) -> Profile:
    """Return a profile from its values in a file or in stored results."""
    return Profile(
        kind=content["kind"],
        has=frozenset(content.get("has") or ()),
        gpus=content.get("gpus"),
        match=content.get("match") or "",
        skip=content.get("skip") or {},
        expect=content.get("expect") or {},
    )


def record(profile: Profile) -> dict[str, Any]:
    """Return a profile for the results."""
    return {
        "kind": profile.kind, "has": sorted(profile.has), "gpus": profile.gpus, "match": profile.match,
        "skip": dict(profile.skip), "expect": dict(profile.expect),
    }  # fmt: skip


def require(kind: str, profiles: Mapping[str, Profile]) -> None:
    """Refuse a kind that no profile describes."""
    if kind and kind not in profiles:
        raise CannotStart(f"validate_kind: no profile for {kind!r}; there are {', '.join(sorted(profiles))}")


def of(
    node: Mapping[str, Any],
    host: Mapping[str, Any] | None,
    profiles: Mapping[str, Profile],
    settings: Mapping[str, Any],
) -> Profile:
    """Return a host's profile: the declared kind, else what its PCI bus and its GPUs' names say."""
    if node["role"] == "login":
        return LOGIN
    if settings.get("kind"):
        return profiles[settings["kind"]]
    hello = (host or {"steps": {}})["steps"].get("host", {}).get("hello") or {}
    hardware = hello.get("hardware") or {}
    names = gpu_names(host)
    if hardware.get("nvidia"):
        fitting = [profile for profile in profiles.values() if profile.match and re.search(profile.match, names)]
        # A site's own kinds come last, and know better than ours.
        return fitting[-1] if fitting else profiles["nvidia"]
    for vendor in ("amd", "neuron"):
        if hardware.get(vendor):
            return profiles[vendor]
    # Slurm promises GPUs and the bus shows none: a node that lost them must not pass as one without.
    return profiles["nvidia"] if node.get("gpus") else profiles["cpu"]


def likeness(node: Mapping[str, Any]) -> str:
    """Return what nodes have in common of which one makes some checks for all."""
    return f"{node.get('alike') or node['gpus']} in {next(iter(node.get('partitions') or ()), '')}"


def gpu_names(host: Mapping[str, Any] | None) -> str:
    """Return the GPUs' names as nvidia-smi gave them."""
    observed = ((host or {"checks": {}})["checks"].get("N-04") or {}).get("observed") or {}
    return str(observed.get("stdout", "")) if isinstance(observed, Mapping) else ""
