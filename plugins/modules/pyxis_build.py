#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: build pyxis's plugin from its source archive on one node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pyxis_build
short_description: Builds the pyxis plugin against a node's Slurm headers
description:
  - Unpacks the archive in a private directory of the node, runs C(make) and C(make install), judges the plugin, and
    brings it to the control node, where O(output) is replaced by rename. It always builds; whether a build is needed
    is the caller's decision. The same source, headers and compiler give the same file.
  - Nothing is left behind - no partial O(output) on failure, and nothing on the node.
  - The action plugin of this name reads O(source) and writes O(output), so that a build is one remote call.
options:
  source:
    description: Source archive on the control node (tar with any compression Python reads). Its content is what
      the node gets, in base64.
    type: str
    required: true
  output:
    description: File on the control node for the plugin. C(.sha256) is written beside it, last, as sha256sum(1) does.
    type: path
    required: true
  headers: {description: Directory that holds slurm/spank.h., type: path, required: true}
  version: {description: Version of pyxis; compiled in as PYXIS_VER when given., type: str, default: ''}
  series: {description: 'Slurm major.minor that the headers must be of; not compared when empty.', type:
    str, default: ''}
  make_variables: {description: Further variables of make., type: dict, default: {}}
  packages_hint:
    description: What to install, by what is missing - C(compiler), C(slurm headers), C(C library headers).
    type: dict
    default: {}
  timeout: {description: Seconds for the whole build., type: int, default: 300}
attributes:
  check_mode:
    support: partial
    details: Judges the headers, and builds nothing.
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Build pyxis
  slipway.containers.pyxis_build:
    source: ~/.cache/slipway/pyxis-0.24.0.tar.gz
    headers: "{{ ansible_facts['slurm']['headers']['directory'] }}"
    output: ~/.cache/slipway/pyxis/spank_pyxis-0.24.0-slurm-24.11-debian13-x86_64.so
    version: 0.24.0
    series: '24.11'
    packages_hint: {compiler: gcc make libc6-dev, slurm headers: libslurm-dev}
"""

RETURN = r"""
sha256: {description: Its checksum; null in check mode., type: str, returned: success}
size: {description: Its size in bytes; null in check mode., type: int, returned: success}
slurm_version: {description: Version of the Slurm headers., type: str, returned: success, sample: 24.11.5}
architecture: {description: Machine as uname names it., type: str, returned: success, sample: x86_64}
duration: {description: Seconds that the build took., type: float, returned: success}
build_log: {description: Last 4000 characters of make., type: str, returned: failure}
missing: {description: 'What the build lacks: compiler; slurm headers; C library headers; or empty.', type:
  str,
  returned: failure}
"""

import base64
import hashlib
import os
import shutil
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import (
    command,
    slurm_text,
    source_build,
    spank_diagnosis,
)

PLUGIN = "spank_pyxis.so"
PREFIX = "/usr/local"


def fail(module, what, log="", missing=""):
    """Fail with one sentence, and the package to install where that is the remedy."""
    hint = module.params["packages_hint"].get(missing, "") if missing else ""
    hint = " ".join(hint) if isinstance(hint, list) else hint
    remedy = f"; install {hint}" if hint else (f"; missing: {missing}" if missing else "")
    module.fail_json(msg=f"pyxis was not built: {what}{remedy}", build_log=log[-4000:], missing=missing)


def judge_headers(module):
    """Return the headers' Slurm version; fails where there are none or of another series."""
    directory = os.path.join(module.params["headers"], "slurm")
    if not os.path.isfile(os.path.join(directory, "spank.h")):
        fail(module, f"{directory}/spank.h does not exist", missing="slurm headers")
    version = None
    for name in ("slurm_version.h", "slurm.h"):
        path = os.path.join(directory, name)
        if version is None and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as stream:
                version = slurm_text.parse_header_version(stream.read())
    if version is None:
        fail(module, f"{directory} does not say its Slurm version", missing="slurm headers")
    series = module.params["series"]
    if series and slurm_text.series_of(version) != series:
        fail(module, f"the headers in {directory} are of Slurm {version}, and {series} is wanted")
    return version


def make(module, source, target, deadline):
    """Run make and make install; returns the built file's path."""
    # Flags go through the environment: on make's command line they would replace the Makefile's own.
    variables = {
        # A compiler that is killed leaves its files where TMPDIR says.
        "TMPDIR": os.path.dirname(target),
        "CPPFLAGS": "-I{}".format(module.params["headers"]),
        "CFLAGS": f"-fdebug-prefix-map={source}=.",
        "SOURCE_DATE_EPOCH": "0",
    }
    words = ["{}={}".format(*pair) for pair in sorted(module.params["make_variables"].items())]
    if module.params["version"]:
        words.append("PYXIS_VER={}".format(module.params["version"]))
    log = ""
    for goal in (["all"], ["install", f"DESTDIR={target}", f"prefix={PREFIX}"]):
        left = max(1.0, deadline - time.monotonic())
        output = command.run(
            ["make", *goal, *words], left, command.plain_environment(variables), directory=source
        )
        log += output.stdout + output.stderr
        if output.code == command.NOT_STARTED and "make" in output.stderr and not output.stdout:
            fail(module, f"make cannot be started: {output.stderr}", log, "compiler")
        if output.timed_out:
            fail(module, f"it took more than {module.params['timeout']} s", log)
        if not output.succeeded:
            fail(
                module,
                source_build.first_error(output.stderr or output.stdout),
                log,
                source_build.missing_tool(log),
            )
    built = os.path.join(target, PREFIX.lstrip("/"), "lib/slurm", PLUGIN)
    if not os.path.isfile(built):
        fail(module, f"make install wrote no {PREFIX}/lib/slurm/{PLUGIN}", log)
    return built


def build(module, version):
    """Build in a private directory and return the plugin's bytes."""
    deadline = time.monotonic() + module.params["timeout"]
    directory = tempfile.mkdtemp(prefix="slipway-build-", dir=module.tmpdir)
    try:
        archive, source, target = (os.path.join(directory, name) for name in ("archive", "source", "target"))
        os.mkdir(source)
        os.mkdir(target)
        with open(archive, "wb") as stream:
            stream.write(base64.b64decode(module.params["source"]))
        try:
            top = source_build.unpack(archive, source)
        except source_build.BadArchiveError as error:
            fail(module, f"the source archive cannot be unpacked: {error}")
        with open(make(module, top, target, deadline), "rb") as stream:
            data = stream.read()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    cause = spank_diagnosis.from_file(PLUGIN, data, os.uname().machine, version)
    if cause:
        fail(module, f"the result is not usable: {cause}")
    return data


def main():
    """Judge, build, return."""
    module = AnsibleModule(
        {
            # Not a secret; but nobody reads it in a log.
            "source": {"type": "str", "required": True, "no_log": True},
            "headers": {"type": "path", "required": True},
            "version": {"type": "str", "default": ""},
            "series": {"type": "str", "default": ""},
            "make_variables": {"type": "dict", "default": {}},
            "packages_hint": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    started = time.monotonic()
    version = judge_headers(module)
    result = {"changed": False, "slurm_version": version, "architecture": os.uname().machine}
    if module.check_mode:
        module.exit_json(sha256=None, size=None, duration=0.0, **result)
    data = build(module, version)
    result.update(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    # The action plugin takes it out of the result.
    result["plugin"] = base64.b64encode(data).decode("ascii")
    module.exit_json(duration=round(time.monotonic() - started, 2), **result)


if __name__ == "__main__":
    main()
