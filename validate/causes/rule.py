"""What a rule is, and those that several tables share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A text, and what it stands for; ``{0}`` in the cause is the first group."""

    pattern: str
    cause: str
    fix: str
    who: str = "admin"


# In a step with a container Slurm runs this script inside it.
TASK_PROLOG = Rule(
    r"[Tt]ask[_ ]?[Pp]rolog",
    "TaskProlog fails, or its file is not there where it runs (inside the container)",
    "scontrol show config | grep TaskProlog; run it as the account; mount its directory into containers, by mounts.d",
)
OUT_OF_MEMORY = Rule(
    r"oom[-_ ]?kill|OOM[- ]?[Kk]illed|Out Of Memory",
    "the job's memory was used up and the kernel ended a process of it",
    "on the node: free -g; findmnt -T the containers' data path, where a tmpfs counts as memory; a smaller "
    "ENROOT_MAX_PROCESSORS lets unsquashfs take less",
)
# Words of Bash 5.2 and Python 3.11 (recorded), and of slurmstepd (`child fork: %m`). Not the bare "Resource
# temporarily unavailable": munge's client says that of a socket that is busy.
NO_PROCESS = Rule(
    r"fork\b[^\n]*Resource temporarily unavailable|can't start new thread",
    "no process can be started any more: the account's limit of processes, slurmd's TasksMax, or the kernel's number "
    "of processes is used up",
    "on the node: ps -eLf --no-headers | wc -l; ps -eL -o user= | sort | uniq -c | sort -n | tail -3; systemctl show "
    "slurmd -p TasksMax,TasksCurrent,LimitNPROC; sysctl kernel.pid_max kernel.threads-max; "
    "/etc/security/limits.d",
)
# Words of pyxis's config.c: the plugin does not start, and neither does any job.
PLUGIN_OPTION = Rule(
    r"pyxis: (unknown configuration option: \S+|\w+: invalid value: \S+)",
    "the line of plugstack.conf that registers pyxis has an argument that this pyxis does not know: {0}",
    "correct that line, or pyxis_arguments of the inventory and playbooks/site.yml; a newer pyxis may know it",
)
# The C library's words for EDQUOT.
NO_QUOTA = Rule(
    r"Disk quota exceeded",
    "the account's quota is used up on a file system that the step writes to",
    "quota -s as the account (lfs quota, mmlsquota); findmnt -T its home and enroot's paths; "
    "enroot list and enroot remove NAME, and empty ENROOT_CACHE_PATH",
    "user",
)
