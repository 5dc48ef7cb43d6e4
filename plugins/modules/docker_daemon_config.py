#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: the one writer of Docker's daemon.json."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Keep keys of Docker's daemon.json, and leave everybody else's alone
description:
  - Docker has one configuration file and no directory of drop-ins, so whoever writes a key goes through this module,
    and names its own keys only. Several callers own different keys of the file.
  - What is to be written is judged first by C(dockerd --validate), with the flags of the dockerd that runs, or of its
    unit where none runs, because a key that is given as a flag, too, keeps Docker from starting. Docker 20.10 cannot
    do that; see RV(validated).
  - A file that is no JSON is refused and not touched; a copy is kept in O(backup_directory).
  - Which keys each O(owner) wrote is kept beside the original. One that it names no more gets back what it had before
    Slipway, unless somebody has changed it since, or another owner has it.
  - Restarts nothing; RV(need) says what makes the change effective. The file keeps its modification time where a
    reload is enough, so that one that is younger than the daemon always means a restart.
options:
  settings:
    description:
      - Keys and their values. The keys of a dictionary are merged into what is there, lists and all else replaced.
        A null value removes a key.
      - For O(state=absent) the keys that were written; their values do not matter, and what is recorded goes as well.
    type: dict
    required: true
  owner: {description: The role whose keys they are., type: str, required: true}
  state:
    description: With V(absent) every key of O(settings) gets back what it had before Slipway first wrote the file.
      Once nothing else is left of it, the original comes back byte for byte, or the file goes if there was none.
    type: str
    choices: [present, absent]
    default: present
  path: {description: The file., type: path, default: /etc/docker/daemon.json}
  backup_directory: {description: Where a copy of a refused file is kept., type: path,
    default: /var/lib/slipway/refused}
  originals: {description: Where what stood there before is kept., type: path, default: /var/lib/slipway/original}
  records: {description: Where it is kept who wrote which keys., type: path, default: /var/lib/slipway/written}
attributes:
  check_mode: {support: full, description: Reports and validates what would change.}
  diff_mode: {support: full, description: 'Shows the text before and after, without secrets.'}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Register the NVIDIA runtime
  slipway.containers.docker_daemon_config:
    owner: nvidia_container_toolkit
    settings:
      runtimes: {nvidia: {path: nvidia-container-runtime, args: []}}
      features: {cdi: true}
"""

RETURN = r"""
changed_keys:
  description: The keys that were (or would be) changed, one level deep.
  type: list
  elements: str
  returned: always
  sample: [features.cdi, runtimes.nvidia]
need:
  description: What makes the change effective, V(nothing), V(reload) or V(restart).
  type: str
  returned: always
validated:
  description: Whether a dockerd judged the new file; false where none is installed, or one older than 23.
  type: bool
  returned: always
backup:
  description: The copy of a file that was refused.
  type: str
  returned: when one was made
"""

import hashlib
import os
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import (
    command,
    docker_daemon,
    docker_facts,
    docker_process,
    docker_records,
    docker_unit,
)
from ansible_collections.slipway.containers.plugins.module_utils import files as tools

VALIDATION_SECONDS = 30


class Refusal(Exception):
    """Something that must not be overwritten or written; the message says what to do."""


class DaemonConfig:
    """One daemon.json: ``look`` compares, ``validate`` asks dockerd, ``write`` changes."""

    def __init__(self, params: dict[str, Any], check_mode: bool):
        """Take the module's parameters."""
        self.path: str = os.path.normpath(params["path"])
        self.originals: str = params["originals"]
        self.records_directory: str = params["records"]
        self.owner: str = params["owner"]
        self.settings: dict[str, Any] = params["settings"]
        self.absent: bool = params["state"] == "absent"
        self.backup_directory: str = params["backup_directory"]
        self.check_mode = check_mode
        self.backup = ""
        self.content = b""
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.original: dict[str, Any] = {}
        self.records: docker_records.Records = {}
        self.recorded: docker_records.Records = {}
        self.keys: list[str] = []

    @property
    def kept(self) -> str:
        """Where the original is kept; an empty file there says that there was none."""
        return tools.original_of(self.path, self.originals)

    def read(self, path: str) -> bytes:
        """Return a file's bytes, none where there is no file; raises Refusal for what is no file."""
        if os.path.islink(self.kept) and path == self.kept:
            # Relative to where the link stood.
            path = os.path.join(os.path.dirname(self.path), os.readlink(path))
        if not os.path.exists(path):
            return b""
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Refusal("%s is not a file: move it away, then run again" % path)
        with open(path, "rb") as stream:
            return stream.read()

    def look(self) -> None:
        """Compare what is there with what is to be; raises Refusal or OSError."""
        self.content = self.read(self.path)
        try:
            self.before = docker_daemon.parse(self.content)
        except docker_daemon.Invalid as error:
            self.keep_refused(self.content)
            raise Refusal(
                "%s is not a configuration that Docker can read: %s. Nothing was changed%s. "
                "Correct the file (or delete it, if nothing in it is needed), then run again."
                % (self.path, error, ", and a copy is kept at %s" % self.backup if self.backup else "")
            ) from None
        self.original = docker_daemon.parse(self.read(self.kept)) if os.path.lexists(self.kept) else self.before
        self.records = docker_records.parse(self.read(self.record))
        mine = (self.records, self.owner, self.settings, self.before)
        others = {owner: record for owner, record in self.records.items() if owner != self.owner}
        if not self.absent:
            names = docker_records.named(docker_records.dropped(*mine))
            self.after = docker_daemon.take_back(self.before, names, self.original)
            self.after = docker_daemon.merge(self.after, self.settings)
            self.recorded = {**others, self.owner: docker_records.note(self.original, self.after, self.settings)}
        elif not os.path.lexists(self.kept):
            # Without an original nothing was ever written here: the keys are somebody else's.
            self.after = self.before
        elif not os.path.lexists(self.path):
            self.after = self.original
        else:
            self.recorded = others
            names = docker_records.named(docker_records.taken_back(*mine))
            self.after = docker_daemon.take_back(self.before, names, self.original)
        self.keys = docker_daemon.changed_keys(self.before, self.after)

    def keep_refused(self, content: bytes) -> None:
        """Keep a copy of a file that cannot be read, once for each content."""
        if self.check_mode:
            return
        name = "%s.%s" % (os.path.basename(self.path), hashlib.sha256(content).hexdigest()[:12])
        self.backup = os.path.join(self.backup_directory, name)
        if not os.path.exists(self.backup):
            tools.make_directories(self.backup_directory)
            tools.write_atomically(self.backup, content, 0o600, 0, 0)

    @property
    def finished(self) -> bool:
        """Whether nothing of ours is left, so that the original itself can come back."""
        return self.absent and os.path.lexists(self.kept) and self.after == self.original

    @property
    def there_was_none(self) -> bool:
        """Whether there was no file before Slipway wrote it."""
        return not os.path.islink(self.kept) and os.path.getsize(self.kept) == 0

    @property
    def record(self) -> str:
        """Where it is kept who wrote which keys."""
        return tools.original_of(self.path, self.records_directory)

    @property
    def unrecorded(self) -> bool:
        """Whether it is to be noted who has which keys; no change of the node, but what a later one goes by."""
        return self.finished or self.recorded != self.records

    @property
    def changed(self) -> bool:
        """Whether there is something to write into the file."""
        if not self.finished:
            return bool(self.keys)
        return os.path.lexists(self.path) == self.there_was_none or self.content != self.read(self.kept)

    def validate(self) -> bool:
        """Have dockerd judge what is to be written; returns whether one did. Raises Refusal."""
        program = docker_process.find_program()
        if not program:
            return False
        with tempfile.NamedTemporaryFile(suffix=".json") as stream:
            stream.write(docker_daemon.render(self.after))
            stream.flush()
            flags = docker_process.flags() or docker_unit.flags()
            arguments = [program, *flags, "--validate", "--config-file", stream.name]
            said = command.run(arguments, VALIDATION_SECONDS)
        if said.timed_out:
            raise Refusal("%s --validate did not answer in %d s" % (program, VALIDATION_SECONDS))
        failure = docker_daemon.validation_failure(said.succeeded, said.stdout + said.stderr)
        if failure:
            raise Refusal(
                "%s would not start Docker with the new keys of %s (%s): %s. Nothing was changed. "
                "Correct the key in the inventory, the file, or the flags in Docker's unit, then run again."
                % (program, self.path, ", ".join(self.keys), failure)
            )
        return failure is not None

    def write(self) -> None:
        """Write the file, or bring the original back; raises OSError."""
        earlier = os.stat(self.path).st_mtime_ns if os.path.exists(self.path) else 0
        if self.finished:
            if not self.there_was_none:
                tools.restore_original(self.path, self.originals)
            elif os.path.lexists(self.path):
                os.unlink(self.path)
            tools.forget_original(self.path, self.originals)
        else:
            self.keep_original()
            status = os.stat(self.path) if os.path.exists(self.path) else None
            mode, owner, group = (
                (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) if status else (0o644, 0, 0)
            )
            tools.make_directories(os.path.dirname(self.path))
            tools.write_atomically(self.path, docker_daemon.render(self.after), mode, owner, group)
        if earlier and docker_daemon.need_of(self.keys) != docker_daemon.RESTART and os.path.exists(self.path):
            os.utime(self.path, ns=(earlier, earlier))

    def write_record(self) -> None:
        """Note who has which keys, after they were written: a key that is noted first could never be taken back."""
        if self.finished or not self.recorded:
            tools.forget_original(self.path, self.records_directory)
            return
        tools.make_directories(os.path.dirname(self.record))
        tools.write_atomically(self.record, docker_daemon.render(self.recorded), 0o600, 0, 0)

    def keep_original(self) -> None:
        """Keep what is there before the first write, or that there was nothing."""
        if os.path.lexists(self.kept):
            return
        if os.path.lexists(self.path):
            tools.keep_original(self.path, self.originals)
        else:
            tools.make_directories(os.path.dirname(self.kept))
            tools.write_atomically(self.kept, b"", 0o600, 0, 0)

    def diff(self) -> dict[str, str]:
        """Return the difference for ``--diff``; the caller takes the secrets out."""
        before, after = (docker_daemon.render(keys).decode() if keys else "" for keys in (self.before, self.after))
        return {"before_header": self.path, "after_header": self.path, "before": before, "after": after}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "owner": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "backup_directory": {"type": "path", "default": "/var/lib/slipway/refused"},
            "originals": {"type": "path", "default": tools.ORIGINALS},
            "records": {"type": "path", "default": docker_facts.RECORDS},
        },
        supports_check_mode=True,
        # The settings may hold a proxy's password, and the node's log would show them.
        no_log=True,
    )
    config = DaemonConfig(module.params, module.check_mode)
    result: dict[str, Any] = {"changed": False, "changed_keys": [], "need": docker_daemon.NOTHING, "validated": False}
    module.no_log_values.update(docker_daemon.secrets(config.settings))
    try:
        config.look()
        for keys in (config.before, config.after):
            module.no_log_values.update(docker_daemon.secrets(keys))
        if config.changed:
            result.update(changed=True, changed_keys=config.keys, need=docker_daemon.need_of(config.keys))
            result["diff"] = config.diff()
            result["validated"] = config.validate()
        if not module.check_mode and (result["changed"] or config.finished):
            config.write()
        if not module.check_mode and config.unrecorded:
            config.write_record()
    except (Refusal, docker_daemon.Invalid) as error:
        result["changed"] = False
        if config.backup:
            result["backup"] = config.backup
        module.fail_json(msg=str(error), **result)
    except OSError as error:
        result["changed"] = False
        module.fail_json(
            msg="cannot keep %s: %s (%s). Nothing half-written was left; mend the cause and run again."
            % (config.path, error.strerror, error.filename),
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
