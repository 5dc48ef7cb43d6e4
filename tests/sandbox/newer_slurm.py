"""Upgrades a node's Slurm as an admin does: packages of a newer release, everything else stays as it is."""

from __future__ import annotations

from tests.sandbox.harness import Sandbox

# From the mirror that the node uses anyway. Only what Slurm needs is newer; the distribution stays what it is.
OFFER = """
set -e
list=/etc/apt/sources.list.d
sed -e '/^$/q' -e 's/^Suites:.*/Suites: sid/' $list/debian.sources > $list/newer-slurm.sources
cat > /etc/apt/preferences.d/newer-slurm <<END
Package: *
Pin: release n=sid
Pin-Priority: 100

Package: slurm* sackd libslurm* libhwloc*
Pin: release n=sid
Pin-Priority: 990
END
apt-get --quiet update > /dev/null
apt-cache policy slurm-client | sed -n 's/ *Candidate: //p'
"""
UPGRADE = """
installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\\n' 'slurm*' 'sackd*' 'libslurm*' |
  sed -n 's/ installed$//p')
export DEBIAN_FRONTEND=noninteractive
apt-get --quiet --yes --no-install-recommends --option Dpkg::Options::=--force-confold install $installed
"""


def series(version: str) -> str:
    """Return what a plugin is built for: 24.11 of 24.11.5-4."""
    return ".".join(version.split(".")[:2])


def running(sandbox: Sandbox, node: str) -> str:
    """Return the series of the Slurm on a node."""
    return series(sandbox.ask(node, "scontrol --version").split()[1])


def offer(sandbox: Sandbox, node: str) -> str:
    """Let a node's apt know the newer release; returns its series."""
    return series(sandbox.alter(node, OFFER))


def upgrade(sandbox: Sandbox, node: str) -> None:
    """Install the newer release on a node that knows it; its package starts the daemons again."""
    sandbox.alter(node, UPGRADE)
