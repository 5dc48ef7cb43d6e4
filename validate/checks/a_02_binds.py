"""A-02: Apptainer binds what its option, its variable and the site ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="A-02",
    title="apptainer: binds",
    tier="standard",
    step="host",
    cause="user bind control is off, an automounted path was not there yet, or the path is missing on this node",
    fix="apptainer.conf: user bind control = yes; ls -ld the path on this node; bind path of apptainer.conf",
    after=("A-06", "C-10", "N-07"),
    files=("/etc/apptainer/",),
    seconds=70,
)


def observe(node: Node) -> Any:
    """Bind the job's scratch directory by the option and by both variables, and list the site's paths inside."""
    image = str(node.settings.get("image") or "")
    if not node.which("apptainer") or not image.startswith("/"):
        return {"ran": False}
    Path(node.scratch, "a02").write_text("there", encoding="utf-8")
    ways, site = {}, [str(name) for name in node.settings.get("site_mounts") or ()]
    more = [word for name in site for word in ("--bind", name)]
    words = ["cat", "/validate-bind/a02"]
    asked = f"{node.scratch}:/validate-bind"
    for way, options, variables in (
        ("--bind", ["--bind", asked], {}),
        ("APPTAINER_BIND", [], {"APPTAINER_BIND": asked}),
        ("SINGULARITY_BIND", [], {"SINGULARITY_BIND": asked}),
    ):
        output = node.run(["apptainer", "--silent", "exec", *options, image, *words], 15, variables)
        ways[way] = "" if output.stdout == "there" else (output.stderr.strip()[-300:] or "nothing")
    inside = node.run(["apptainer", "--silent", "exec", *more, image, "ls", "-d", *site], 20) if site else None
    return {"ran": True, "ways": ways, "site": inside.record() if inside else None}


def judge(observed: Any, context: Context) -> Finding:
    """All of them are there."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if not observed["ran"]:
        return skipped("no apptainer, which A-06 says, or validate_image is no file")
    bad = [f"{way}: {said}" for way, said in observed["ways"].items() if said]
    site = observed["site"]
    if site and site["code"] != 0:
        bad.append(site["stderr"].strip()[-300:] or "a path of validate_site_mounts is not there")
    return failed("; ".join(bad), "bound") if bad else passed("by the option and both variables")
