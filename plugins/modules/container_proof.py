#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: one bounded job that proves that containers run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_proof
short_description: Prove by one bounded job that a container step runs inside its container
description:
  - Asks Slurm for one task on one node at once (C(salloc --immediate)), runs a plain step and then a container step,
    and compares what the two see. An exit code proves nothing, because a step whose node lacks the plugin
    runs on the node itself and succeeds.
  - Without O(image) the node makes a small image of its own shell, so no registry is needed.
  - Never fails by itself; RV(outcome) says what was found.
options:
  user: {description: Account to run as., type: str, default: root}
  account: {description: Slurm account; empty for the user's default., type: str, default: ''}
  partition: {description: Slurm partition; empty for the default one., type: str, default: ''}
  node: {description: Slurm's name of the node to run on; empty for any., type: str, default: ''}
  container: {description: 'Whether to run the container step; without it only Slurm itself is tried.', type: bool,
    default: true}
  image: {description: Image for O(container); a path must be visible on the nodes., type: str, default: ''}
  salloc: {description: Path of salloc., type: path, required: true}
  slurm_conf: {description: Slurm's configuration file; empty where Slurm finds it by itself., type: str, default: ''}
  immediate: {description: How long to wait for a free node (seconds)., type: int, default: 10}
  timeout: {description: How long the job may take (seconds)., type: int, default: 180}
attributes:
  check_mode: {support: full, description: Submits nothing and returns V(unproven).}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Prove that containers run
  slipway.containers.container_proof:
    salloc: /usr/bin/salloc
    user: operator
  register: proof
  failed_when: proof.outcome == 'failed'
"""

RETURN = r"""
outcome: {description: 'V(proven), V(failed), V(unproven) (no node was free) or V(refused) (Slurm took no job).',
  type: str, returned: always}
cause: {description: One sentence why, type: str, returned: always}
node: {description: Node on which the job ran., type: str, returned: always}
output: {description: Last 4000 characters that the job printed., type: str, returned: always}
"""

import contextlib
import os
import pwd
import re
import secrets
import signal
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import container_proof as tools
from ansible_collections.slipway.containers.plugins.module_utils.command import plain_environment, run

STOP_TIMEOUT = 15


def command(params: dict[str, Any]) -> list[str]:
    """Return the argument list of the allocation."""
    words = [params["salloc"], "--nodes=1", "--ntasks=1", "--job-name=slipway-proof"]
    words += ["--immediate=%d" % params["immediate"], "--time=%d" % max(1, -(-params["timeout"] // 60))]
    words += ["--%s=%s" % (key, params[key]) for key in ("account", "partition") if params[key]]
    words += ["--nodelist=%s" % params["node"]] if params["node"] else []
    return [*words, "sh", "-c", tools.SCRIPT]


def slurm_environment(params: dict[str, Any]) -> dict[str, str]:
    """Return what Slurm's programs need to find their configuration."""
    return {"SLURM_CONF": params["slurm_conf"]} if params["slurm_conf"] else {}


def stop(process: subprocess.Popen[bytes], params: dict[str, Any]) -> tuple[bytes, bytes]:
    """End an allocation that takes too long; returns its (stdout, stderr) as far as they came."""
    output = errors = b""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            output, errors = process.communicate(timeout=STOP_TIMEOUT)
            break
        except subprocess.TimeoutExpired as expired:
            # salloc's command has a process group of its own and may hold the pipes open for good.
            output, errors = expired.stdout or b"", expired.stderr or b""
    granted = re.search(rb"job allocation (\d+)", errors)
    if granted:
        scancel = os.path.join(os.path.dirname(params["salloc"]), "scancel")
        run([scancel, granted.group(1).decode()], timeout=30, environment=plain_environment(slurm_environment(params)))
    return output, errors


def submit(params: dict[str, Any], token: str) -> tuple[int | None, str, str]:
    """Run the job; returns (exit code or None, stdout, stderr)."""
    account = pwd.getpwnam(params["user"])
    environment = {
        **slurm_environment(params),
        "PATH": os.path.dirname(params["salloc"]) + ":/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": account.pw_dir,
        "USER": params["user"],
        "LC_ALL": "C",
        **tools.environment(params["container"], params["image"], token),
    }
    process = subprocess.Popen(
        ["runuser", "--preserve-environment", "--user", params["user"], "--", *command(params)],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    code: int | None = None
    try:
        output, errors = process.communicate(timeout=params["immediate"] + params["timeout"])
        code = process.returncode
    except subprocess.TimeoutExpired:
        output, errors = stop(process, params)
    return code, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "default": "root"},
            "account": {"type": "str", "default": ""},
            "partition": {"type": "str", "default": ""},
            "node": {"type": "str", "default": ""},
            "container": {"type": "bool", "default": True},
            "image": {"type": "str", "default": ""},
            "salloc": {"type": "path", "required": True},
            "slurm_conf": {"type": "str", "default": ""},
            "immediate": {"type": "int", "default": 10},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=False, outcome="unproven", cause="check mode submits no job", node="", output="")
    token = "" if params["image"] else secrets.token_hex(16)
    try:
        code, output, errors = submit(params, token)
    except KeyError:
        told = "name one that this host knows and Slurm lets run jobs"
        module.fail_json(msg="pyxis_proof_user: account %r does not exist on this host: %s" % (params["user"], told))
        return
    except OSError as error:
        module.fail_json(msg="cannot run runuser for %s: %s" % (params["salloc"], error.strerror))
        return
    verdict = tools.judge(code, output, errors, params["container"], token)
    if verdict.outcome == "unproven":
        module.warn("unproven: no container job was run, because %s" % verdict.cause)
    module.exit_json(changed=False, msg=verdict.cause, output=(output + errors)[-4000:], **verdict._asdict())


if __name__ == "__main__":
    main()
