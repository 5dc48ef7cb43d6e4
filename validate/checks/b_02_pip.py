"""B-02: packages are added to an NGC image without replacing its own PyTorch."""

from __future__ import annotations

import json
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="B-02",
    title="pip keeps the image's PyTorch",
    tier="deep",
    step="sample",
    cause="pip replaced NVIDIA's torch by a wheel from PyPI: the install had no constraints",
    fix="PIP_CONSTRAINT=/etc/pip/constraint.txt pip install …, as the image sets it; pip check",
    who="user",
    after=("C-04",),
    needs=("nvidia", "pytorch", "network"),
    seconds=420,
)


# It depends on torch, so that pip would choose one, and brings little else.
PACKAGE = "torchmetrics"
PROGRAM = (
    r"""
version() {
    python3 -c 'import json, torch as t; print("@pip " + json.dumps([t.__version__, t.version.cuda, t.__file__]))'
}
version
constraint=${PIP_CONSTRAINT:-$(ls /etc/pip/constraint.txt 2> /dev/null)}
echo "@constraint $constraint"
pip install --quiet ${constraint:+--constraint $constraint} %s && version
pip check
"""
    % PACKAGE
)


def observe(node: Node) -> Any:
    """Install in a container that is thrown away."""
    options = ["--overlap", "--ntasks=1", "--container-writable"]
    output = node.contained(["sh", "-c", PROGRAM], options, str(node.settings["workload_image"]), 400)
    versions = []
    for line in output.stdout.splitlines():
        if line.startswith("@pip "):
            versions.append(json.loads(line[5:]))
    constraint = next((line[12:].strip() for line in output.stdout.splitlines() if line.startswith("@constraint ")), "")
    return {"versions": versions, "constraint": constraint, "code": output.code, "said": output.text[-1000:]}


def judge(observed: Any, context: Context) -> Finding:
    """The same torch before and after, and pip finds nothing broken."""
    versions = observed["versions"]
    if not versions:
        return errored(observed["said"].strip()[-300:] or "nothing")
    if len(versions) < 2:
        return failed(observed["said"].strip()[-300:], f"pip install {PACKAGE}")
    if versions[0] != versions[1]:
        return failed(
            f"torch {versions[1][0]} for CUDA {versions[1][1]}", f"torch {versions[0][0]} for CUDA {versions[0][1]}"
        )
    if observed["code"] != 0:
        return failed(observed["said"].strip()[-300:], "pip check finds nothing broken")
    return passed(f"torch {versions[0][0]}, constraints {observed['constraint'] or 'of the image itself: none'}")
