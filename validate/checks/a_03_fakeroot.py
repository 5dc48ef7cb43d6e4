"""A-03: an ordinary user builds an image with --fakeroot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="A-03",
    title="apptainer build --fakeroot",
    tier="standard",
    step="sample",
    cause="the account has no range in /etc/subuid, or newuidmap lost its capabilities",
    fix="grep $USER /etc/subuid /etc/subgid; ls -l /usr/bin/newuidmap; playbooks/site.yml writes the ranges",
    after=("A-06", "N-08"),
    seconds=200,
)


DEFINITION = """Bootstrap: localimage
From: {image}

%post
    id -u > /built-by
    touch /root-only && chown 1:1 /root-only
"""


def observe(node: Node) -> Any:
    """Build from the run's own image with one line of %post, which gives a file to another account."""
    image, scratch = str(node.settings.get("image") or ""), Path(node.scratch)
    if not node.which("apptainer") or not image.startswith("/"):
        return {"ran": False}
    definition, built = scratch / "a03.def", scratch / "a03.sif"
    definition.write_text(DEFINITION.format(image=image), encoding="utf-8")
    directories = {"APPTAINER_TMPDIR": node.scratch, "APPTAINER_CACHEDIR": str(scratch / "a03-cache")}
    words = ["apptainer", "build", "--fakeroot", str(built), str(definition)]
    done = node.run(words, 150, directories)
    start = ["exec", str(built), "cat", "/built-by"]
    inside = node.run(["apptainer", "--silent", *start], 30) if done.code == 0 else done
    # With --silent it does not say why it failed.
    if done.code == 0 and inside.code and not inside.stderr.strip():
        inside = node.run(["apptainer", *start], 15)
    built.unlink(missing_ok=True)
    return {"ran": True, "build": done.record(), "inside": inside.record()}


def why(said: str) -> str:
    """Return the line of apptainer's words that says why."""
    lines = [line for line in said.splitlines() if "FATAL" in line or "ERROR" in line or "not listed" in line]
    return (lines or said.strip().splitlines() or ["nothing said"])[-1][:400]


def judge(observed: Any, context: Context) -> Finding:
    """Root inside built it."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if not observed["ran"]:
        return skipped("no apptainer, which A-06 says, or validate_image is no file")
    build, said = observed["build"], observed["build"]["stderr"]
    inside = observed["inside"]
    if build["code"] != 0:
        return failed(why(said), "an image built by the user")
    if inside["code"] != 0:
        return failed(
            why(inside["stderr"]),
            "apptainer exec of the image that was built",
            "the image was built, and does not start",
            "apptainer --debug exec IMAGE true as the same account; grep '^allow container\\|^limit container' "
            "/etc/apptainer/apptainer.conf",
        )
    if inside["stdout"].strip() != "0":
        return failed(f"%post ran as {inside['stdout'].strip()[:100] or 'nobody known'}", "%post runs as root, uid 0")
    if "not listed in /etc/subuid" in said:
        return failed("built by one id alone: the account is not listed in /etc/subuid", "a range of ids")
    return passed("built, and started")
