#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: have Docker run what its files say, without disturbing a container."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_service
short_description: Start, reload or restart Docker and containerd where that is needed and disturbs no container
description:
  - Compares the running daemons with their configuration files and units, and does the smallest thing that makes these
    effective. Nothing is remembered between runs, so a restart that had to wait is made up for by a later run.
  - Docker is restarted only when no container runs, or live-restore is in effect and carries the containers over.
    Otherwise RV(pending) says what waits, and for what, and so does a warning.
options:
  state:
    description:
      - V(started) has Docker run and enabled; V(settled) leaves one alone that does not run.
      - V(enabled) has it start at the next boot, and neither starts nor restarts it now.
      - V(stopped) stops and disables Docker and containerd, and is refused while containers run unless
        O(stop_containers).
    type: str
    choices: [started, enabled, settled, stopped]
    default: started
  act: {description: 'With false, only reports what is needed, as check mode does.', type: bool, default: true}
  stop_containers: {description: Whether V(stopped) stops running containers., type: bool, default: false}
  config: {description: Docker's configuration file., type: path, default: /etc/docker/daemon.json}
  containerd_config: {description: containerd's configuration file., type: path,
    default: /etc/containerd/config.toml}
  timeout: {description: How long Docker may take to answer after its start (seconds)., type: int, default: 120}
attributes:
  check_mode: {support: full, description: Reports what would be done.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Have Docker run what its files say
  slipway.containers.docker_service:
"""

RETURN = r"""
reasons: {description: Why something was (or would be) done., type: list, elements: str, returned: always}
pending: {description: 'What has to wait, and for what; empty where nothing has to.', type: str, returned: always}
containers: {description: How many containers run on the node., type: int, returned: always}
"""

import os
import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import (
    command,
    docker_api,
    docker_daemon,
    docker_facts,
    docker_process,
)
from ansible_collections.slipway.containers.plugins.module_utils import docker_service as tools

SYSTEMCTL_SECONDS = 30
INFO_SECONDS = 20
# Stopping containers takes ten seconds each by default.
STOP_SECONDS = 300
LOG_LINES = "15"


class Services:
    """Docker's services on this node."""

    def __init__(self, module: Any):
        """Take the module's parameters."""
        self.module = module
        self.params: dict[str, Any] = module.params

    def systemctl(self, seconds: float, *arguments: str) -> command.Output:
        """Run systemctl; fails where it does not succeed."""
        said = command.run(["systemctl", *arguments], seconds)
        if not said.succeeded:
            log = command.run(
                ["journalctl", "--no-pager", "--output=cat", "--lines=" + LOG_LINES, "--unit=" + arguments[-1]],
                SYSTEMCTL_SECONDS,
            )
            self.module.fail_json(
                msg="systemctl %s: %s. The last lines of its log:\n%s"
                % (
                    " ".join(arguments),
                    "no end within %d s" % seconds if said.timed_out else said.stderr.strip(),
                    log.stdout.strip(),
                )
            )
        return said

    def look(self) -> tools.Seen:
        """Return what is to be judged."""
        shown = self.systemctl(SYSTEMCTL_SECONDS, *docker_facts.show_command()[1:])
        return docker_facts.look(shown.stdout, self.params["config"], self.params["containerd_config"])

    def keys(self) -> dict[str, Any]:
        """Return the keys of daemon.json; fails where it is none."""
        try:
            with open(self.params["config"], "rb") as stream:
                return docker_daemon.parse(stream.read())
        except FileNotFoundError:
            return {}
        except docker_daemon.Invalid as error:
            self.module.fail_json(msg="%s: %s" % (self.params["config"], error))
            raise

    def carry_out(self, plan: tools.Plan) -> None:
        """Do what a plan says; fails with Docker's own log where it does not come up."""
        if plan.unmask:
            self.systemctl(SYSTEMCTL_SECONDS, "unmask", "--runtime", *plan.unmask)
        if plan.reread:
            self.systemctl(SYSTEMCTL_SECONDS, "daemon-reload")
        if plan.enable:
            self.systemctl(SYSTEMCTL_SECONDS, "enable", *plan.enable)
        for verb, units in (("restart", plan.restart), ("start", plan.start)):
            if units:
                # A daemon that failed too often is not started again without this.
                command.run(["systemctl", "reset-failed", *units], SYSTEMCTL_SECONDS)
                self.systemctl(self.params["timeout"], verb, *units)
        if plan.reload:
            self.systemctl(SYSTEMCTL_SECONDS, "reload", tools.DOCKER)
        if (plan.restart or plan.start) and docker_api.info(self.params["timeout"]) is None:
            self.module.fail_json(
                msg="Docker was started, but does not answer on %s within %d s. Look at: journalctl -u docker"
                % (docker_process.SOCKET, self.params["timeout"])
            )

    def stop(self, seen: tools.Seen, running: int) -> bool:
        """Stop and disable all; returns whether there was something to stop."""
        units = [unit for unit in map(seen.unit, tools.UNITS) if unit.load == "loaded"]
        up = [unit.name for unit in units if unit.running]
        enabled = [unit.name for unit in units if unit.file_state == "enabled"]
        if not up and not enabled:
            return False
        if running and not self.params["stop_containers"]:
            self.module.fail_json(
                msg="%s on this node (docker ps), so Docker is not removed. Stop what runs, or set "
                "docker_stop_containers: true." % tools.count(running)
            )
        if not self.module.check_mode:
            if running:
                stop_containers()
            for seconds, verb, names in ((STOP_SECONDS, "stop", up), (SYSTEMCTL_SECONDS, "disable", enabled)):
                if names:
                    self.systemctl(seconds, verb, *names)
            remove_socket()
        return True


def remove_socket() -> None:
    """Delete the socket, which systemd leaves behind: whoever finds it takes Docker for broken and not for removed."""
    try:
        if stat.S_ISSOCK(os.lstat(docker_process.SOCKET).st_mode):
            os.unlink(docker_process.SOCKET)
    except FileNotFoundError:
        pass


def stop_containers() -> None:
    """Stop all containers of Docker: with live-restore in effect they would outlive it."""
    listed = command.run(["docker", "ps", "--quiet"], SYSTEMCTL_SECONDS)
    if listed.stdout.split():
        command.run(["docker", "stop", *listed.stdout.split()], STOP_SECONDS)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "enabled", "settled", "stopped"], "default": "started"},
            "act": {"type": "bool", "default": True},
            "stop_containers": {"type": "bool", "default": False},
            "config": {"type": "path", "default": "/etc/docker/daemon.json"},
            "containerd_config": {"type": "path", "default": "/etc/containerd/config.toml"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    services = Services(module)
    seen, running = services.look(), docker_process.containers()
    if module.params["state"] == "stopped":
        changed = services.stop(seen, running)
        module.exit_json(
            changed=changed, reasons=["Docker is to go"] if changed else [], pending="", containers=running
        )
    wanted = module.params["state"] in ("started", "enabled")
    users = docker_process.rootless()
    if users and wanted:
        module.warn(
            "%s: uid %s runs a rootless Docker, which is left alone: it has containers, data, configuration and socket "
            "of its own, and DOCKER_HOST says which one a client asks"
            % (os.uname().nodename, ", ".join(map(str, users)))
        )
    masked = tools.masked(seen)
    if masked and wanted:
        module.fail_json(
            msg="%s is masked, so Docker cannot run: systemctl unmask %s, or docker_state: unmanaged"
            % (" and ".join(masked), " ".join(masked))
        )
    plan = tools.judge(seen, wanted)
    if module.params["state"] == "enabled":
        plan = plan.at_boot()
    ask = plan.disturbs and seen.unit(tools.DOCKER).running
    info, keys = docker_api.info(INFO_SECONDS) if ask else None, services.keys()
    pending = tools.obstacle(plan, running, info, keys)
    if pending:
        pending = "%s: restart pending (%s): %s. A later run makes up for it." % (
            os.uname().nodename,
            "; ".join(plan.reasons),
            pending,
        )
        module.warn(pending)
        plan = plan.undisturbing()
    elif tools.DOCKER in plan.restart and tools.leaves_data(info, keys):
        module.warn("%s: %s" % (os.uname().nodename, tools.leaves_data(info, keys)))
    if module.params["act"] and not module.check_mode:
        services.carry_out(plan)
    module.exit_json(changed=not plan.empty, reasons=plan.reasons, pending=pending, containers=running)


if __name__ == "__main__":
    main()
