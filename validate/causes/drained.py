"""Why Slurm gives a node to nobody: its own reasons, and the suite's."""

from __future__ import annotations

from validate.causes.rule import Rule

# Slurm's own reasons for draining a node or calling it down, out of its source (node_mgr.c, gres.c, proc_req.c,
# agent.c, job_mgr.c, slurm_errno.c, power_save.c, read_config.c); {name} in a fix is the node.
DRAINED = (
    # The suite's own words for a node whose epilog does not end, which name the epilog as well.
    Rule(
        r"still complet",
        "the epilog hangs on this node, or a process of the job does not end",
        "on {name}: ps -eo pid,stat,wchan:20,etime,args --forest, below slurmstepd and the epilog; dmesg -T | tail",
    ),
    Rule(
        r"slipway-validate:([A-Z]-\d\d)",
        "an earlier run of this suite drained it for {0}",
        "mend what the reason says; python -m validate run --limit {name} --resume gives it back",
        "operator",
    ),
    Rule(
        r"(gres/\S+) count reported lower than configured",
        "slurmd found fewer devices than slurm.conf names ({0}): one fell off the bus, its driver did not load, or "
        "gres.conf is wrong",
        "on {name}: ls /dev/nvidia[0-9]*; nvidia-smi -L; dmesg -T | grep -i 'xid\\|fallen off'; slurmd -G, with "
        "SLURM_CONF=/run/slurm/conf/slurm.conf where it fetches its configuration; reboot, or power off "
        "and on; then systemctl restart slurmd",
    ),
    Rule(
        r"Low RealMemory",
        "the node has less memory than RealMemory in slurm.conf: a module is gone, or the value leaves no room for "
        "what a new kernel keeps",
        "on {name}: slurmd -C beside its line in slurm.conf; ipmitool sel list; replace the module, or lower "
        "RealMemory and scontrol reconfigure",
    ),
    Rule(
        r"Low socket\*core\*thread count|Low CPUs",
        "the node has fewer CPUs than slurm.conf says: hyper-threading or cores are off, or the line is wrong",
        "on {name}: slurmd -C beside its line in slurm.conf; lscpu; firmware settings; scontrol reconfigure",
    ),
    Rule(
        r"Low TmpDisk",
        "the file system of TmpFS is smaller than TmpDisk in slurm.conf: its disk is not mounted",
        "scontrol show config | grep TmpFS; on {name}: findmnt -T it; mount it and systemctl restart slurmd",
    ),
    Rule(
        r"Kill task failed",
        "a process of a job did not end when it was killed: it hangs in the kernel, on a GPU, a disk or a file system",
        "on {name}: ps -eo pid,stat,wchan:25,user,cmd | awk '$2 ~ /D/'; dmesg -T | tail -40; scontrol show config | "
        "grep UnkillableStep; reboot it where the process stays",
    ),
    Rule(
        r"Prolog error|Prolog/Epilog failure",
        "the prolog fails on this node",
        "scontrol show config | grep -i prolog; on {name}: journalctl -u slurmd | grep -i prolog | tail; run it as "
        "root: bash -x SCRIPT",
    ),
    Rule(
        r"Epilog error",
        "the epilog fails on this node, Slurm's own or a SPANK plugin's",
        "scontrol show config | grep -i epilog; on {name}: journalctl -u slurmd | grep -i epilog | tail; run it as "
        "root: bash -x SCRIPT",
    ),
    Rule(
        r"Job env setup error",
        "slurmd could not read the environment of a job's account: its login shell hangs, or its home does",
        "on {name}: timeout 10 su - ACCOUNT -c env; ls the home directory; journalctl -u slurmd -n 30",
    ),
    Rule(
        r"batch job complete failure",
        "slurmd could not run a batch job: its spool directory is full or closed, or the account is unknown here",
        "on {name}: journalctl -u slurmd | grep -i error | tail; df -h and df -i of SlurmdSpoolDir; getent "
        "passwd ACCOUNT",
    ),
    Rule(
        r"Duplicate jobid",
        "slurmd still runs a job of that number: slurmctld lost its state, or the number began anew",
        "squeue -w {name}; on {name}: pgrep -af slurmstepd; end what Slurm does not know, and systemctl restart slurmd",
    ),
    Rule(
        r"Node unexpectedly rebooted",
        "the node restarted by itself: power, a kernel panic, a watchdog, or somebody's hand",
        "on {name}: journalctl --list-boots | tail -5; journalctl -b -1 -n 50; ipmitool sel list; deep tier before "
        "users",
    ),
    Rule(
        r"Not responding",
        "slurmd has not answered slurmctld for SlurmdTimeout: the node is off, cut off, or slurmd ended or hangs",
        "ping {name}; on {name}: systemctl status slurmd; journalctl -u slurmd -n 30; port 6818 from the controller",
    ),
    Rule(
        r"ResumeTimeout reached|reboot timed out",
        "the node was started, and its slurmd did not come back in time",
        "the cloud's console, or the BMC's: did it boot? on {name}: systemctl status slurmd; scontrol show config "
        "| grep ResumeTimeout",
    ),
    Rule(
        r"NO NETWORK ADDRESS FOUND",
        "slurmctld cannot resolve the node's name",
        "on the controller: getent hosts {name}; NodeAddr in slurm.conf; then scontrol reconfigure",
    ),
    Rule(
        r"\(Code:(\w+)\)",
        "AWS gave no instance for it: {0}",
        "/var/log/parallelcluster on the head node; another availability zone, or a capacity reservation",
    ),
    Rule(
        r"^Action:(Reboot|Replace)",
        "HyperPod was asked to {0} the instance",
        "wait for it, and do not resume it: the cluster's page in the SageMaker console says how far it is",
        "operator",
    ),
    Rule(
        r"^(?:NHC|HC): *(.+)",
        "the site's health check says: {0}",
        "run HealthCheckProgram (scontrol show config) on {name} as root, and mend what it says",
    ),
)
