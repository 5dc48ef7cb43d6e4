#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: prove that a SPANK plugin loads on this node, and only then switch to it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spank_plugin
short_description: Proves that a SPANK plugin loads on this node and switches the fixed path to it
description:
  - One call for a node's part of the gate. The plugin is loaded by C(srun --help) and C(sbatch --help) from
    a private
    copy of this node's configuration, with one C(required) line in it, as an ordinary user where possible.
    The
    proof is the option in their output, never an exit code. sbatch is asked as well because srun does not
    look at
    a plugin's arguments before a job does.
  - This proves the side of the commands. slurmstepd takes its plugins from slurmd, so a job must prove that.
  - On a node without srun the file is checked, loaded with libslurmfull.so in a process of its own, and its
    version
    compared; RV(proof) says so.
  - O(link) is switched by rename, and never to a plugin that was not proven.
options:
  path: {description: Absolute path of the plugin file., type: path, required: true}
  content:
    description:
      - The plugin in base64, for a node on which O(path) is missing or has another checksum than O(sha256).
      - It is written beside O(path), proven there, and renamed to O(path) when proven and deleted when not, so that a
        plugin in use is never replaced by one that does not load.
    type: str
  sha256:
    description:
      - Checksum that the file must have; not compared when empty.
      - A file that has it is made root's, mode 0644, for ordinary users must read it and nobody else may write it.
    type: str
    default: ''
  link: {description: Fixed path that becomes a symbolic link to O(path)., type: path}
  switch: {description: Whether to switch O(link) when proven., type: bool, default: false}
  option: {description: Option that the plugin offers., type: str, default: container-image}
  arguments:
    description: Arguments of the line, as for M(slipway.containers.plugstack).
    type: raw
    default: {}
  configuration:
    description:
      - V(private) proves O(path). V(live) judges what is registered on this node now, through its own
        configuration;
        then a second registration or an unreadable file beside plugstack.conf is the cause.
    type: str
    choices: [private, live]
    default: private
  timeout: {description: Seconds for each command., type: int, default: 10}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Prove and switch
  slipway.containers.spank_plugin:
    path: /usr/local/lib/slipway/pyxis/0.24.0-slurm-24.11/spank_pyxis.so
    sha256: "{{ __pyxis_plugin_sha256 }}"
    content: "{{ lookup('slipway.containers.file_base64', '~/spank_pyxis.so') }}"
    link: /usr/local/lib/slipway/pyxis/spank_pyxis.so
    switch: true
  register: __pyxis_plugin
  failed_when: not __pyxis_plugin.proven
"""

RETURN = r"""
needs_copy: {description: The file is missing or has another checksum still., type: bool, returned: success}
sha256: {description: The file's checksum; null when it is missing., type: str, returned: success}
proven: {description: Whether the plugin was seen to load., type: bool, returned: success}
proof: {description: What proves it., type: str, returned: success, sample: srun --help as an ordinary user}
cause: {description: 'One sentence why it is not proven, else empty.', type: str, returned: success}
output: {description: Last 2000 characters of the command that failed., type: str, returned: success}
slurm_version: {description: Slurm version of this node., type: str, returned: success}
link_before: {description: Where O(link) led; null when it was no link., type: str, returned: success}
link_after: {description: Where O(link) leads; in check mode would lead., type: str, returned: success}
"""

import base64
import os
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import (
    plugstack,
    slurm_gather,
    slurm_host,
    spank_diagnosis,
    spank_proof,
)
from ansible_collections.slipway.containers.plugins.module_utils.files import (
    link_atomically,
    make_directories,
    sha256_of,
    write_atomically,
)

CANDIDATE = "candidate.so"
MODE = 0o644


def find_slurm():
    """Return what the proof needs of this node's Slurm: programs, version, library, configuration."""
    host = slurm_host.Host()
    running = slurm_host.processes(host)
    prefix = slurm_host.find_prefix(host, running)
    if prefix is None:
        return None
    programs = slurm_host.find_programs(host, prefix)
    library = slurm_host.find_library(host, prefix)
    known = slurm_host.evidence(host, slurm_host.units(host), running)
    config, _ignored = slurm_gather.find_config(host, prefix, library, known)
    return {
        "programs": programs,
        "library": library or "",
        "config": config["file"],
        "source": config["source"],
        "version": slurm_gather.find_version(host, programs, config["file"]),
    }


def prove(module, slurm, path):
    """Return the Proof for this call."""
    words, problems = plugstack.judge_arguments(module.params["arguments"])
    if problems:
        module.fail_json(msg="plugstack arguments: {}".format("; ".join(problems)), problems=problems)
    if slurm is None:
        return spank_proof.Proof(False, "", "no Slurm was found on this node", "")
    live = module.params["configuration"] == "live"
    data = None
    if os.path.isfile(path):
        with open(path, "rb") as stream:
            data = stream.read()
    cause = spank_diagnosis.from_file(path, data, os.uname().machine, slurm["version"])
    if cause and not live:
        return spank_proof.Proof(False, "the file itself", cause, "")
    srun = slurm["programs"]["srun"]
    timeout = module.params["timeout"]
    if not srun:
        return spank_proof.prove_by_loading(path, slurm["library"], slurm["version"], timeout)
    programs = {"srun": srun, "sbatch": os.path.join(os.path.dirname(srun), "sbatch")}
    programs = {name: program for name, program in programs.items() if os.access(program, os.X_OK)}
    wanted = not any(word in ["sbatch_support=" + no for no in plugstack.FALSE_WORDS] for word in words)
    subject = spank_proof.Subject(path, module.params["option"], slurm["version"], timeout, wanted)
    if live:
        # Without a name the commands find a fetched configuration as any user's do.
        config = slurm["config"] if slurm["source"] == "local" else None
        proof = spank_proof.prove_by_help(programs, config, True, subject)
        # What is wrong with the file says more than what the loader makes of it.
        return (
            spank_proof.Proof(False, proof.method, cause, proof.output)
            if cause and not proof.proven
            else proof
        )
    line = plugstack.Registration(path, tuple(words)).text
    with spank_proof.private_configuration(slurm["config"], line) as (config, public):
        return spank_proof.prove_by_help(programs, config, public, subject)


def own(module):
    """Give the file the owner and mode that it would have been written with; returns whether that is a change."""
    path = module.params["path"]
    status = os.stat(path)
    if (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), os.getegid(), MODE):
        return False
    if not module.check_mode:
        try:
            os.chown(path, os.geteuid(), os.getegid())
            os.chmod(path, MODE)
        except OSError as error:
            module.fail_json(msg=f"cannot set owner and mode of {path}: {error.strerror}")
    return True


def switch(module, link):
    """Point the fixed path at the plugin; returns whether that is a change."""
    path = module.params["path"]
    if not link or not module.params["switch"]:
        return False
    before = os.readlink(link) if os.path.islink(link) else None
    if before == path:
        return False
    if os.path.isdir(link) and not os.path.islink(link):
        module.fail_json(msg=f"{link} is a directory, and is to be a link to the plugin: move it away, then run again")
    if not module.check_mode:
        try:
            os.makedirs(os.path.dirname(link), mode=0o755, exist_ok=True)
            link_atomically(link, path)
        except OSError as error:
            module.fail_json(msg=f"cannot switch {link} to {path}: {error}")
    return True


def place(module, slurm):
    """Write the content beside its place, prove it there, and rename it or delete it; returns the Proof."""
    path = module.params["path"]
    candidate = os.path.join(os.path.dirname(path), CANDIDATE)
    try:
        make_directories(os.path.dirname(path))
        write_atomically(candidate, base64.b64decode(module.params["content"]), MODE, os.geteuid(), os.getegid())
        found, expected = sha256_of(candidate), module.params["sha256"].lower()
        if expected and found != expected:
            proof = spank_proof.Proof(False, "", f"what was sent has the checksum {found}, expected is {expected}", "")
        else:
            proof = prove(module, slurm, candidate)
        if proof.proven:
            os.rename(candidate, path)
    except OSError as error:
        module.fail_json(msg=f"cannot put the plugin at {path}: {error.strerror}")
    finally:
        if os.path.lexists(candidate):
            os.unlink(candidate)
    return proof


def main():
    """Compare, prove, put in place, switch."""
    module = AnsibleModule(
        {
            "path": {"type": "path", "required": True},
            # Not a secret; but nobody reads it in a log.
            "content": {"type": "str", "no_log": True},
            "sha256": {"type": "str", "default": ""},
            "link": {"type": "path"},
            "switch": {"type": "bool", "default": False},
            "option": {"type": "str", "default": "container-image"},
            "arguments": {"type": "raw", "default": {}},
            "configuration": {"type": "str", "choices": ["private", "live"], "default": "private"},
            "timeout": {"type": "int", "default": 10},
        },
        required_if=[("switch", True, ["link"])],
        supports_check_mode=True,
    )
    path, link, expected = module.params["path"], module.params["link"], module.params["sha256"].lower()
    found = sha256_of(path) if os.path.isfile(path) else None
    before = os.readlink(link) if link and os.path.islink(link) else None
    result = {"changed": False, "sha256": found, "link_before": before, "link_after": before, "output": ""}
    result["needs_copy"] = found is None or bool(expected and found != expected)
    brought = result["needs_copy"] and module.params["content"] and not module.check_mode
    if result["needs_copy"] and not brought and module.params["configuration"] == "private":
        other = f"{path} has the checksum {found}, expected is {expected}"
        cause = f"{path} does not exist" if found is None else other
        module.exit_json(proven=False, proof="", cause=cause, slurm_version=None, **result)
    # Ordinary users prove it, so they must be able to read it first.
    if expected and found == expected:
        result["changed"] = own(module)
    slurm = find_slurm()
    proof = place(module, slurm) if brought else prove(module, slurm, path)
    if brought and proof.proven:
        result.update(changed=True, sha256=sha256_of(path), needs_copy=False)
    result.update(proven=proof.proven, proof=proof.method, cause=proof.cause, output=proof.output)
    result["slurm_version"] = slurm["version"] if slurm else None
    if proof.proven and module.params["configuration"] == "private":
        switched = switch(module, link)
        result["link_after"] = path if switched else before
        if switched:
            result["changed"] = True
            result["diff"] = {"before": f"{link} -> {before}\n", "after": f"{link} -> {path}\n"}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
