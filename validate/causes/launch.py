"""Why a plain step did not begin on a node: what srun says."""

from __future__ import annotations

from validate.causes.rule import NO_PROCESS, NO_QUOTA, OUT_OF_MEMORY, PLUGIN_OPTION, TASK_PROLOG, Rule

# The first that matches counts.
LAUNCH = (
    TASK_PROLOG,
    # srun runs on the submit host: recorded from 24.11 with a limit of 12 processes.
    Rule(
        r"srun: (?:error|fatal): [^\n]*(?:fork|pthread_create)[^\n]*Resource temporarily unavailable",
        "the submit host lets this account start no more processes and threads",
        "on the submit host, as this account: ulimit -u; ps -L -u $USER | wc -l; systemctl show user-$(id -u).slice -p "
        "TasksMax,TasksCurrent; /etc/security/limits.d",
    ),
    NO_PROCESS,
    NO_QUOTA,
    # After `connect io: ` of slurmstepd, which is the way back to srun; not recorded.
    Rule(
        r"No route to host",
        "the network between this node and the submit host or the controller is broken, a firewall refuses it, "
        "or Slurm has a wrong NodeAddr",
        "ip route get the other's address, on both; scontrol show node: NodeAddr; firewall-cmd --list-all, or iptables "
        "-S, on both: slurmd's port 6818, and SrunPortRange on the submit host",
    ),
    Rule(
        r"Incompatible versions of client and server code",
        "the node was upgraded half: its Slurm, or the slurmd that still runs, does not speak the controller's version",
        "slurmd -V and srun --version on this node; scontrol show config | grep SLURM_VERSION; upgrade Slurm here, "
        "then playbooks/site.yml; systemctl restart slurmd",
    ),
    # cgroup_common.c; the lines after it name the cgroup of job, step or task alone.
    Rule(
        r"[Uu]nable to (?:create|instantiate) [^\n]*\bcgroup\b",
        "slurmd cannot make the cgroup of a job: /sys/fs/cgroup is read-only, or has no room for more",
        "findmnt -o TARGET,FSTYPE,OPTIONS /sys/fs/cgroup must say rw; cat /proc/cgroups; systemctl show slurmd -p "
        "Delegate; journalctl -u slurmd -n 30; systemctl restart slurmd, and reboot where that does not help",
    ),
    # Words of slurmstepd; which module refused is in the log.
    Rule(
        r"pam_(?:start|set_item \w+|setcred ESTABLISH|open_session): ([^\n]+)|(error in pam_setup)",
        "PAM refuses the account's session on this node, which UsePAM asks for: {0}",
        "cat /etc/pam.d/slurm, and compare it with a good node's; journalctl -t slurmstepd -n 20; /var/log/secure or "
        "auth.log; scontrol show config | grep UsePAM",
    ),
    Rule(
        r"[Pp]rolog failed",
        "the prolog fails on this node, so that no job can start here",
        "scontrol show config | grep Prolog; run it on the node as root: bash -x SCRIPT; journalctl -u slurmd -n 20",
    ),
    Rule(
        r"Communication connection failure|Connection refused",
        "slurmd does not run, or its port 6818 is filtered",
        "systemctl status slurmd; journalctl -u slurmd -n 20; where it runs: bash -c '</dev/tcp/NODE/6818' from the "
        "submit host and from the controller, nft list ruleset on the node",
    ),
    Rule(
        r"Socket timed out|no answer within",
        "slurmd hangs, or a prolog or munge does, or the node's file system, or a firewall between node and submit "
        "host (SrunPortRange)",
        "systemctl status slurmd; timeout 5 munge -n; ps -eo pid,stat,wchan:20,cmd | awk '$2 ~ /D|T/'; dmesg -T | "
        "tail; then systemctl restart slurmd",
    ),
    Rule(
        r"Unable to confirm allocation|Job/step already completing",
        "Slurm took the allocation back meanwhile",
        "scontrol show node; journalctl -u slurmctld: who cancelled the job or drained the node?",
        "operator",
    ),
    # The step begins in /: recorded from slurmstepd 24.11.
    Rule(r"couldn't chdir to `/': Permission denied", "users cannot enter / on this node", "chmod 0755 /"),
    Rule(
        r"execve\(\): (\S*python3\S*): Permission denied",
        "{0} is on this node, and the account may not execute it: its mode, that of a directory above it, or a mount "
        "with noexec",
        "namei -l $(readlink -f /usr/bin/python3); findmnt -no OPTIONS -T /usr/bin/python3; chmod 0755 $(readlink -f "
        "/usr/bin/python3)",
    ),
    Rule(
        r"python3: (?:No such file|command not found|not found)|execve\(\): python3",
        "the node has no python3 on the job's PATH",
        "install python3",
    ),
    Rule(
        r"Fatal Python error|ModuleNotFoundError|SyntaxError",
        "python3 of the node is damaged or too old",
        "python3 --version (3.9 or later), python3 -c 'import json, zlib'; reinstall the packages of python3",
    ),
    PLUGIN_OPTION,
    # Pyxis's plugin is loaded with words of spank; these are Slurm's own.
    Rule(
        r"[Cc](?:annot|ouldn't) (?:find|create|load) [^\n]*(?:plugin|context)[^\n]* for (\w+/\w+)|"
        r"(?s:\A(?!.*spank).*dlopen\((\S+?)\))",
        "a plugin of Slurm itself is missing or damaged on this node: {0}",
        "scontrol show config | grep PluginDir, and compare its files with a good node's; dpkg --verify or rpm -V the "
        "packages of Slurm; reinstall them and systemctl restart slurmd",
    ),
    Rule(
        r"(?i)spank|plug-?in|plugstack",
        "Slurm's plugin stack keeps every job from starting on this node: the plugin is missing, damaged, or another's",
        "playbooks/reconfigure.yml; journalctl -u slurmd -n 30",
    ),
    # Words of libslurm; sites report them of an account that slurmctld does not know, which was not seen here.
    Rule(
        r"Error generating job credential",
        "slurmctld signs nothing for this account: the controller does not know it, or has no munge (slurm.key) itself",
        "on the controller: getent passwd of the account, by name and by number; systemctl status sssd munge; "
        "journalctl -u slurmctld -n 20",
    ),
    Rule(
        r"User not found on host|Invalid user id|could not set UID or GID",
        "the account that submits is not known on this node, or has another number here; where every node says this, "
        "it is missing on the controller",
        "getent passwd and id of the account, on this node, on the submit host and on the controller; systemctl status "
        "sssd, or the name service that is used",
    ),
    Rule(
        r"Invalid job credential|[Jj]ob credential (?:expired|revoked|replayed)|credential (?:creation|verification)",
        "slurmd refuses what slurmctld signed: the clocks differ, or munge's (slurm.key's) keys do",
        "date on both hosts; sha256sum /etc/munge/munge.key, or /etc/slurm/slurm.key, as root; systemctl restart munge "
        "slurmd",
    ),
    Rule(
        r"No space left on device",
        "a file system of the node is full: slurmd's spool directory, /tmp or /run",
        "df -h and df -i; scontrol show config | grep SlurmdSpoolDir",
    ),
    Rule(
        r"could not create a batch directory|[Rr]ead-only file system",
        "slurmd cannot write into its spool directory: full, read-only, or gone",
        "scontrol show config | grep SlurmdSpoolDir; findmnt -T it and df -h, df -i it; dmesg -T | tail -20",
    ),
    Rule(
        r"Could not open std(?:in|out|err) file (\S+?):? ",
        "a job may not open {0} on this node: it is closed for users, or a plain file where a device should be",
        "ls -l /dev/null must say crw-rw-rw- 1, 3; else: rm -f /dev/null; mknod -m 666 /dev/null c 1 3",
    ),
    OUT_OF_MEMORY,
    Rule(
        r"Munge|munge|Invalid authentication credential",
        "munge refuses: other key, or the clocks differ",
        "systemctl status munge; date on both hosts; sha256sum /etc/munge/munge.key as root",
    ),
    # Words of libslurm; that munge is behind them is what sites report, and was not seen here.
    Rule(
        r"Zero Bytes were transmitted or received",
        "slurmd hung up without an answer: munge does not run here, or refuses (another key, another time)",
        "systemctl status munge slurmd; journalctl -u slurmd -n 20; date on both hosts; sha256sum /etc/munge/munge.key "
        "as root; systemctl restart munge slurmd",
    ),
    # What slurmd answers where its slurmstepd ended at once: recorded with a read-only spool directory, and with
    # TasksMax=24 of its unit.
    Rule(
        r"Task launch for \S+ failed on node \S+: Unspecified error",
        "slurmd started slurmstepd, which ended before the step began: mostly slurmd's spool directory is read-only, "
        "full or closed, its unit may start no more tasks, or a library of Slurm is damaged",
        "journalctl -u slurmd -n 30, or SlurmdLogFile, names it; findmnt -T and df -h, df -i of SlurmdSpoolDir; "
        "systemctl status slurmd (Tasks: … limit); dpkg --verify or rpm -V the packages of Slurm; then systemctl "
        "restart slurmd",
    ),
)
