"""What a profile may say of nodes of one kind: a file of `profiles/`, or a site's `validate_profiles`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

KEYS: Mapping[str, type] = {
    "description": str, "has": list, "gpus": int, "match": str, "skip": dict, "expect": dict,
}  # fmt: skip
# What a node may have: the needs of checks name these.
HAS = ("gpus", "no_gpus", "gpu_devices", "nvidia", "fabric", "amd", "neuron")
# What nodes of a kind must reach: key -> type. Rates are lower bounds of one GPU, of a node's GPUs together (NCCL).
EXPECT: Mapping[str, type] = {
    "gemm_tflops": float, "h2d_gbs": float, "d2h_gbs": float, "hbm_gbs": float, "nbody_gflops": float,
    "nccl_busbw": float, "nccl_busbw_nodes": float, "gpu_direct": bool,
    "space_gib": float, "shared_memory_gib": float, "user_namespaces": int, "memory_lock": str,
}  # fmt: skip
NAMES: Mapping[type, str] = {
    str: "a text", list: "a list of texts", int: "a whole number", float: "a number", bool: "true or false",
    dict: "a mapping",
}  # fmt: skip


def faults(profiles: Mapping[Any, Any], checks: Collection[str]) -> list[str]:
    """Return what is wrong with profiles by kind; ``checks`` are the ids that one may skip."""
    found = []
    for kind, content in profiles.items():
        if not isinstance(kind, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", kind):
            found.append(f"{kind!r} is no name of a kind: small letters, digits and _")
        elif not isinstance(content, dict):
            found.append(f"{kind}: {content!r} is no mapping of {', '.join(KEYS)}")
        else:
            found += [f"{kind}: {said}" for said in _wrong(content, KEYS)]
            found += [f"{kind}: {said}" for said in _parts(content, checks)]
    return found


def _wrong(content: Mapping[str, Any], known: Mapping[str, type]) -> list[str]:
    """Return what keys are unknown, or of another type."""
    found = []
    for key, value in content.items():
        wanted = known.get(key)
        if wanted is None:
            found.append(f"unknown {key}; known are {', '.join(sorted(known))}")
            continue
        fits = isinstance(value, (int, float) if wanted is float else wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            found.append(f"{key}: {value!r} is not {NAMES[wanted]}")
    return found


def _parts(content: Mapping[str, Any], checks: Collection[str]) -> list[str]:
    """Return what is wrong inside of the keys that have the right type."""
    found = []
    has = content.get("has")
    if isinstance(has, list):
        unknown = [str(item) for item in has if item not in HAS]
        found += [f"has: unknown {', '.join(unknown)}; known are {', '.join(HAS)}"] if unknown else []
    if isinstance(content.get("skip"), dict):
        unknown = [str(check) for check in content["skip"] if check not in checks]
        found += [f"skip: no check has the id {', '.join(unknown)}"] if unknown else []
        found += [f"skip: {said}" for said in _wrong(content["skip"], dict.fromkeys(content["skip"], str))]
    if isinstance(content.get("expect"), dict):
        found += [f"expect: {said}" for said in _wrong(content["expect"], EXPECT)]
        lock = content["expect"].get("memory_lock", "any")
        found += [f"expect: memory_lock: {lock!r} is neither any nor unlimited"] * (lock not in ("any", "unlimited"))
    if isinstance(content.get("match"), str):
        try:
            re.compile(content["match"])
        except re.error as error:
            found.append(f"match: {content['match']!r} is no regular expression: {error}")
    return found
