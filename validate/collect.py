"""What came back, by host: from a launcher's events to the records that a verdict is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def empty() -> dict[str, Any]:
    """Return a host's entry before anything was heard of it."""
    return {"steps": {}, "checks": {}, "said": {}, "refused": None, "job": None}


def collect(events: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return host -> what is known of it.

    ``steps``: step -> {hello, received, bye}; ``checks``: id -> record; ``said``: step -> what srun said of a host
    that did not answer; ``refused``: {said, jobs} where no allocation was to be had.
    """
    hosts: dict[str, dict[str, Any]] = {}
    for event in events:
        take(hosts, event)
    return hosts


def take(hosts: dict[str, dict[str, Any]], event: Mapping[str, Any]) -> None:
    """Add one event; what is no event of these is passed over."""
    kind = event.get("event")
    if kind == "record":
        _record(hosts.setdefault(str(event["node"]), empty()), event)
    elif kind == "allocated":
        for node in event["nodes"]:
            hosts.setdefault(node, empty())["job"] = event["job"]
    elif kind == "refused":
        hosts.setdefault(event["node"], empty())["refused"] = {"said": event["said"], "jobs": event["jobs"]}
    elif kind == "lost":
        hosts.setdefault(event["node"], empty())["said"][event["step"]] = event["said"]
    elif kind == "broken":
        for node in event["nodes"]:
            hosts.setdefault(node, empty())["refused"] = {"said": event["said"], "jobs": []}
    elif kind == "step":
        _step(hosts, event)


def _step(hosts: dict[str, dict[str, Any]], event: Mapping[str, Any]) -> None:
    """Add how a step ended; of a group only the first node answers, for all of them."""
    group = event["step"] == "group"
    for node in event["nodes"] if group else ():
        hosts.setdefault(node, empty())["steps"].setdefault("group", {})["nodes"] = event["nodes"]
    for node in event["silent"]:
        if group and node not in event["nodes"][:1]:
            continue
        said = hosts.setdefault(node, empty())["said"]
        text = (event["said"] or event["noise"]).strip()
        if event["code"] is None:
            text = f"{text}\nno answer within {event['seconds']:g} s".strip()
        # The second try of one node alone says more than the first of many.
        if event["step"] not in said or (event["attempt"] and text):
            said[event["step"]] = text


def _record(host: dict[str, Any], event: Mapping[str, Any]) -> None:
    content = event["content"]
    step = host["steps"].setdefault(str(content.get("step", "")), {})
    if "hello" in content:
        step.update(hello=content, received=event["at"])
    elif "bye" in content:
        step["bye"] = content["bye"]
    elif isinstance(content.get("check"), str):
        host["checks"][content["check"]] = {**content, "received": event["at"]}
