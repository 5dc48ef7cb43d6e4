"""The text of Slurm's configuration files. No host is touched here."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 6817
GPUS = 8
PARTITION = "main"


@dataclass(frozen=True)
class Size:
    """What one compute node offers to jobs."""

    cpus: int
    memory: int  # MiB

    @classmethod
    def for_machine(cls, cpus: int, memory: int) -> Size:
        """Every node sees the whole machine; small nodes leave room for the others."""
        return cls(cpus=min(cpus, 8), memory=max(512, min(4096, memory // 4)))


def compute_names(count: int) -> list[str]:
    return [f"compute{index}" for index in range(1, count + 1)]


def host_list(count: int) -> str:
    return "compute1" if count == 1 else f"compute[1-{count}]"


def slurm_conf(cluster: str, count: int, size: Size) -> str:
    nodes = host_list(count)
    lines = [
        f"ClusterName={cluster}",
        "SlurmctldHost=head",
        f"SlurmctldPort={PORT}",
        "SlurmctldParameters=enable_configless",
        "SlurmUser=slurm",
        "AuthType=auth/munge",
        "CredType=cred/munge",
        "MpiDefault=none",
        "ProctrackType=proctrack/cgroup",
        "TaskPlugin=task/affinity,task/cgroup",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        # Without a default, one job would take all the memory of its node.
        f"DefMemPerCPU={size.memory // size.cpus}",
        "GresTypes=gpu",
        "ReturnToService=2",
        # Many nodes on few cores answer late; nothing here is worth losing a node for.
        "SlurmdTimeout=300",
        "MessageTimeout=60",
        "StateSaveLocation=/var/lib/slurm/slurmctld",
        "SlurmdSpoolDir=/var/lib/slurm/slurmd",
        "SlurmctldPidFile=/run/slurmctld.pid",
        "SlurmdPidFile=/run/slurmd.pid",
        "SlurmctldLogFile=/var/log/slurm/slurmctld.log",
        "SlurmdLogFile=/var/log/slurm/slurmd.log",
        "SlurmctldDebug=info",
        "SlurmdDebug=info",
        "JobCompType=jobcomp/none",
        "AccountingStorageType=accounting_storage/none",
        f"NodeName={nodes} CPUs={size.cpus} RealMemory={size.memory} Gres=gpu:{GPUS} State=UNKNOWN",
        f"PartitionName={PARTITION} Nodes={nodes} Default=YES MaxTime=INFINITE State=UP",
    ]
    return "\n".join(lines) + "\n"


def gres_conf(count: int) -> str:
    return f"NodeName={host_list(count)} Name=gpu File=/dev/nvidia[0-{GPUS - 1}]\n"


def cgroup_conf(flavour: str) -> str:
    return (
        f"CgroupPlugin=cgroup/{flavour}\n"
        "CgroupMountpoint=/sys/fs/cgroup\n"
        "ConstrainCores=yes\n"
        "ConstrainRAMSpace=yes\n"
        "ConstrainDevices=yes\n"
    )


def files(cluster: str, count: int, size: Size, flavour: str) -> dict[str, str]:
    return {
        "slurm.conf": slurm_conf(cluster, count, size),
        "gres.conf": gres_conf(count),
        "cgroup.conf": cgroup_conf(flavour),
    }
