"""What a hook waits for before it runs a playbook, each with a bound; what does not come is worked around, and said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import evidence, fitness
from .layout import Code
from .node import Node
from .outcome import ComponentFailed
from .settings import Settings
from .waits import Budget, Clock, spread, wait_until

DISK_UNIT = "dlami-nvme.service"
DISK = "/opt/dlami/nvme"
SLURM_CONF = "/opt/slurm/etc/slurm.conf"
SLURMCTLD_PORT = 6817


@dataclass
class Arrivals:
    """Each method returns a note for the report; ``warn`` is told what did not come."""

    settings: Settings
    code: Code
    node: Node
    budget: Budget
    warn: Callable[[str], None]

    @property
    def clock(self) -> Clock:
        """The clock of the run."""
        return self.budget.clock

    def of(self, name: str) -> str:
        """Wait for what a plan names."""
        return {"disk": self.wait_for_disk, "slurm_conf": self.wait_for_slurm_conf}[name]()

    def wait_for_disk(self) -> str:
        """Wait for the instance's own disk, where one is on its way."""

        def arrived() -> str | None:
            unit = self.node.unit_state(DISK_UNIT)
            return None if fitness.disk_wait_needed(unit, self.node.has_instance_store()) else unit or "absent"

        state = wait_until(arrived, min(self.settings.disk_wait_seconds, self.budget.left), self.clock)
        if state is None or state == "failed":
            self.warn("%s is not usable (%s %s): data goes elsewhere" % (DISK, DISK_UNIT, state or "still starting"))
        return ""

    def wait_for_slurm_conf(self) -> str:
        """Wait until HyperPod's agent has written the controller's configuration."""
        seconds = min(self.settings.controller_wait_seconds, self.budget.left)
        if wait_until(lambda: self.node.exists(SLURM_CONF) or None, seconds, self.clock) is None:
            raise ComponentFailed("%s was not written within %.0f s, so slurmctld cannot start" % (SLURM_CONF, seconds))
        return ""

    def wait_for_controller(self, host: str) -> str:
        """Wait for slurmctld on a host; slurmd comes to it later where it does not answer now."""
        if not host:
            return "nobody says where slurmctld is"
        seconds = min(self.settings.controller_wait_seconds, self.budget.left)
        if wait_until(lambda: self.node.answers(host, SLURMCTLD_PORT) or None, seconds, self.clock) is None:
            self.warn("slurmctld does not answer on %s after %.0f s: slurmd finds it when it does" % (host, seconds))
        return ""

    def wait_for_network(self) -> str:
        """Spread the nodes' first requests, and wait for names; what is installed already needs neither."""
        share = min(spread(self.settings.spread_seconds), self.budget.left)
        self.clock.sleep(share)
        host = self.network_host()
        seconds = min(self.settings.dns_wait_seconds, self.budget.left)
        if host and wait_until(lambda: self.node.resolves(host) or None, seconds, self.clock) is None:
            self.warn("%s cannot be resolved after %.0f s: going on with what is here" % (host, seconds))
        return "spread by %.1f s" % share

    def network_host(self) -> str:
        """Return the host whose name has to be known before a download, '' where a mirror is a directory."""
        mirror = str(evidence.read_group_variables(self.code.site).get("artifact_mirror") or "https://github.com/")
        return mirror.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
