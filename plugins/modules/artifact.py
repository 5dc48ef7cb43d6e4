#!/usr/bin/python
# Copyright: Slipway contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Download and verify artifacts on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifact
short_description: Download artifacts once, verified against a pin or the site's lock file
description:
  - Runs on the control node.
  - Each file is downloaded to a temporary file in I(cache_dir), verified, and renamed to a place
    named after its content.
  - A file in the cache is verified again on every run, and downloaded again when it is damaged.
  - All problems of all artifacts are reported in one failure.
author: Slipway contributors
options:
  artifacts:
    description: What is wanted. Equal entries count once.
    type: list
    elements: dict
    required: true
    options:
      name: {description: The program., type: str, required: true}
      version: {description: Its version., type: str, required: true}
      filename: {description: Its file name; also in a mirror and in the lock file., type: str, required: true}
      url: {description: Where upstream offers it., type: str, required: true}
      sha256: {description: Its checksum. Where it is empty the lock file must know it., type: str, default: ''}
  action:
    description: V(fetch) provides the files; V(lock) downloads them and records their checksums in I(lock_file).
    type: str
    choices: [fetch, lock]
    default: fetch
  cache_dir:
    description: Directory of the downloaded files.
    type: path
    required: true
  lock_file:
    description: The site's artifacts.lock.yml. It may be absent.
    type: path
    required: true
  mirror:
    description:
      - A directory or a base URL that holds the files under their I(filename).
      - With it set no other host is contacted; a redirect to another host is an error.
    type: str
    default: ''
  allow_unlocked:
    description:
      - Accept a file for which neither a pin nor the lock file has a checksum.
      - Such a file is downloaded on every run, since nothing says whether the one in the cache is right.
    type: bool
    default: false
  force:
    description: Let V(lock) replace a recorded checksum by a different one.
    type: bool
    default: false
  retries:
    description: How often a download is tried again after a failure that may pass.
    type: int
    default: 3
  retry_delay:
    description: Seconds before the first retry; doubled for each further one.
    type: float
    default: 2.0
  timeout:
    description: Seconds without a byte before a download counts as failed.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Nothing is downloaded; what would be is reported.
"""

EXAMPLES = r"""
- name: Provide the packages
  slipway.containers.artifact:
    artifacts:
      - name: enroot
        version: 4.1.2
        filename: enroot_4.1.2-1_amd64.deb
        url: https://github.com/NVIDIA/enroot/releases/download/v4.1.2/enroot_4.1.2-1_amd64.deb
    cache_dir: ~/.cache/slipway
    lock_file: inventories/example/artifacts.lock.yml
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
artifacts:
  description: >-
    By file name: path, sha256, size, url (where it came from) and downloaded (bool).
    In check mode a file that is not there yet has the path it will have; path, sha256 and size are null where unknown.
  returned: success
  type: dict
problems:
  description: What is wrong, each with artifact, url, problem, expected, found and fix.
  returned: failure
  type: list
  elements: dict
"""

import os
import time
from dataclasses import asdict
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.slipway.containers.plugins.module_utils import artifact_lock, artifacts
from ansible_collections.slipway.containers.plugins.module_utils.artifact_jobs import fetch, record
from ansible_collections.slipway.containers.plugins.module_utils.artifact_store import Store


def run(params: dict[str, Any], check: bool, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Do what the module was asked for and return its result; ``failed`` is set on failure."""
    outcome = "nothing was locked" if params["action"] == "lock" else "nothing was installed"
    mirror = params["mirror"]
    if mirror and not artifacts.is_url(mirror):
        mirror = os.path.expanduser(mirror.removeprefix("file://"))
        if not os.path.isdir(mirror) or not os.path.isabs(mirror):
            message = (
                "artifact_mirror: %s is neither a base URL (http://… or https://…) nor the absolute path of a "
                "directory; %s. Correct artifact_mirror." % (mirror, outcome)
            )
            return {"failed": True, "msg": message, "problems": []}
    try:
        text, lock = artifact_lock.read(params["lock_file"])
    except artifact_lock.LockError as error:
        message = (
            "The lock file cannot be used: %s; %s. Correct that line, or take the file back from version control."
            % (error, outcome)
        )
        return {"failed": True, "msg": message, "problems": []}
    wanted, problems = artifacts.merge(params["artifacts"])
    store = Store(params["cache_dir"], mirror, params["retries"], params["retry_delay"], params["timeout"], sleep=sleep)
    result: dict[str, Any] = {"changed": False, "artifacts": {}}
    if params["action"] == "fetch":
        result["artifacts"], found = fetch(store, wanted, lock, params, check)
        problems += found
        result["changed"] = any(item["downloaded"] for item in result["artifacts"].values())
    elif check:
        result["changed"] = any(item.filename not in lock for item in wanted)
    elif not problems:
        result["artifacts"], entries, problems = record(store, wanted, lock, params)
        rendered = artifact_lock.render(entries)
        if not problems and rendered != text:
            try:
                artifact_lock.write(params["lock_file"], rendered)
            except OSError as error:
                message = "%s cannot be written: %s. %s." % (
                    params["lock_file"],
                    error.strerror,
                    outcome.capitalize(),
                )
                return {"failed": True, "msg": message, "problems": []}
            result["changed"] = True
            result["diff"] = {
                "before": text,
                "after": rendered,
                "before_header": params["lock_file"],
                "after_header": params["lock_file"],
            }
    if problems:
        result["failed"] = True
        result["msg"] = artifacts.render_problems(problems, outcome)
        result["problems"] = [asdict(problem) for problem in problems]
    result["warnings"] = store.warnings
    return result


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "artifacts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "version": {"type": "str", "required": True},
                    "filename": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "sha256": {"type": "str", "default": ""},
                },
            },
            "action": {"type": "str", "choices": ["fetch", "lock"], "default": "fetch"},
            "cache_dir": {"type": "path", "required": True},
            "lock_file": {"type": "path", "required": True},
            "mirror": {"type": "str", "default": ""},
            "allow_unlocked": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "retries": {"type": "int", "default": 3},
            "retry_delay": {"type": "float", "default": 2.0},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if artifact_lock.yaml is None:
        module.fail_json(
            msg="%s Run this module with Ansible's own Python: "
            "set ansible_python_interpreter to {{ ansible_playbook_python }} for localhost."
            % missing_required_lib("PyYAML")
        )
    result = run(module.params, module.check_mode)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
