"""What texts of Slurm, pyxis and enroot mean, each with a fix: data for `diagnosis`. To add one, add a Rule.

Texts are those of enroot 4.1.2, pyxis 0.24.0 and Slurm 22.05 and 24.11 where `tests/fixtures/recorded` has them; the
others are quoted from the upstream issue beside them and were not seen here.
"""

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
# The C library's words for EDQUOT.
NO_QUOTA = Rule(
    r"Disk quota exceeded",
    "the account's quota is used up on a file system that the step writes to",
    "quota -s as the account (lfs quota, mmlsquota); findmnt -T its home and enroot's paths; "
    "enroot list and enroot remove NAME, and empty ENROOT_CACHE_PATH",
    "user",
)
# The first that matches counts: causes before what follows from them.
CONTAINER = (
    TASK_PROLOG,
    OUT_OF_MEMORY,
    NO_PROCESS,
    NO_QUOTA,
    Rule(
        r"unrecognized option '--container-image",
        "pyxis is not registered for this submit host, or the plugin does not load here (pyxis#84)",
        "playbooks/reconfigure.yml; then srun --help must list --container-image",
    ),
    Rule(
        r"Incompatible Slurm plugin \S+ version \(([\d.]+)\)",
        "the plugin was built for Slurm {0}, another than the one that runs",
        "playbooks/site.yml builds it for the Slurm that runs (pyxis#95)",
    ),
    Rule(
        r"couldn't mkdir (\S+): No such file or directory",
        "the parent of pyxis's runtime path {0} is missing, as after a reboot without its disk (pyxis#4)",
        "systemctl status slipway-storage; restart it once the disk is mounted, or run playbooks/site.yml",
    ),
    Rule(
        r"mkdir: cannot create directory \W?(/[^'\u2019]+)\W?: Permission denied",
        "enroot may not create {0}: its parent is not writable for users (pyxis#12)",
        "ls -ld its parents; playbooks/site.yml makes them 1777",
    ),
    Rule(
        r"[Nn]o space left on device",
        "no room where the image is unpacked, or user namespaces used up (pyxis#53, pyxis#93)",
        "df -h and df -i of enroot's paths; sysctl user.max_user_namespaces; remove old containers: "
        "enroot list, enroot remove",
    ),
    Rule(
        r"[Rr]ead-only file system",
        "a file system is read-only where containers are unpacked, cached or started",
        "findmnt -o TARGET,OPTIONS,FS-OPTIONS -T each of enroot's paths, and /run; dmesg -T | tail shows an error that "
        "made it so; mount -o remount,rw it, or fsck",
    ),
    # Recorded from GNU tar 1.34 with zstd 1.5.4, as enroot calls them, on layers cut, emptied and changed.
    Rule(
        r"tar: Unexpected EOF in archive|zstd: \S+: un(?:supported format|expected end of file)|"
        r"Decoding error \(\d+\)|Read error \(39\)",
        "a layer of the image is damaged in enroot's cache, as after a download that broke off or a full disk",
        "empty ENROOT_CACHE_PATH of the account on this node (enroot.conf names it), and start again; df -h of it",
    ),
    # Recorded from Bash 5.2 and coreutils 9.1 without that link; enroot's docker.sh reads from such names.
    Rule(
        r"/dev/fd/\d+: No such file",
        "/dev/fd is missing on this node, through which shell scripts such as enroot's read",
        "ls -l /dev/fd, which must be a link to /proc/self/fd: ln -sT /proc/self/fd /dev/fd; findmnt /proc",
    ),
    Rule(
        r"failed to create user namespace: (.+)",
        "this node refuses user namespaces: {0} (enroot#247, enroot#61)",
        "sysctl kernel.unprivileged_userns_clone user.max_user_namespaces; on Ubuntu 24.04 aa-status must list enroot",
    ),
    Rule(
        r"failed to set capabilities|command not found: enroot-aufs2ovlfs",
        "enroot's helpers lack their file capabilities (enroot#141)",
        "playbooks/site.yml reinstalls enroot+caps",
    ),
    Rule(
        r"failed to create opaque ovlfs whiteout",
        "ENROOT_TEMP_PATH lies on a file system that cannot hold whiteouts (slurm-operator#99)",
        "move it to a local ext4 or xfs: storage_candidates",
    ),
    Rule(
        r"[Cc]ould not acquire rootfs lock",
        "enroot's data path is shared between nodes (enroot#154)",
        "put ENROOT_DATA_PATH on a local disk: storage_candidates",
    ),
    Rule(
        r"returned error code: 401",
        "the registry refuses the account, or the name has the wrong form (pyxis#39, enroot#161)",
        "enroot digest docker://IMAGE on this node; nvcr.io#path; ~/.config/enroot/.credentials 0600",
        "user",
    ),
    Rule(
        r"returned error code: 429|toomanyrequests",
        "the registry limits anonymous downloads (docker/docs#21908)",
        "use a .sqsh file or a mirror for validate_image",
        "user",
    ),
    Rule(
        r"/v2/(\S+)/manifests/\S+ returned error code: 404",
        "the registry has no image {0} with this tag",
        "correct validate_image; enroot digest docker://IMAGE",
        "user",
    ),
    Rule(
        r"returned error code: 403",
        "the registry knows the account and refuses it this image, or a proxy refuses the registry",
        "enroot digest docker://IMAGE on this node; ask for the right to pull; curl -I the registry shows a proxy",
        "user",
    ),
    Rule(
        r"returned error code: (5\d\d)",
        "the registry, or a proxy before it, has a fault of its own: HTTP {0}",
        "curl -I the registry from this node; look at the registry's log; a .sqsh file needs none",
    ),
    Rule(
        r"curl: \(60\)|SSL certificate problem: ([^\n]+)",
        "this node does not trust the registry's certificate: {0}",
        "date on the node; the authority's file into /usr/local/share/ca-certificates and update-ca-certificates, or "
        "/etc/pki/ca-trust/source/anchors and update-ca-trust",
    ),
    Rule(
        r"curl: \(28\)|Connection timed out after|Operation timed out",
        "the registry is not reached from this node: packets are lost on the way, by a firewall or a missing route",
        "curl -v --max-time 20 the registry, from this node and from a good one; ip route; enroot's proxy",
    ),
    Rule(
        r"returned error code: (\d+)|Could not resolve host|Failed to connect to (\S+)|Connection refused",
        "the registry does not answer this node",
        "curl -I the registry from this node; proxy, firewall, or the registry itself; a .sqsh file needs none",
    ),
    Rule(
        r"(?:No such file or directory|cannot access|not found): '?(\S+\.sqsh)|(\S+\.sqsh)'?: No such file",
        "the image file is not on this node",
        "is its file system mounted here? findmnt -T FILE",
    ),
    Rule(
        r"Can't find a valid SQUASHFS superblock|failed to (?:read|unsquash)|No such file or directory: (\S+\.sqsh)|"
        r"Invalid image format",
        "the image file is damaged or not readable here",
        "stage it again; mode 0644; unsquashfs -s FILE",
    ),
    Rule(
        r"corrupted shared library|invalid ELF header|file too short|Exec format error",
        "the image file is damaged, or for another architecture",
        "sha256sum FILE, beside that of the original; stage it again; file -L of the image's /bin/sh",
    ),
    Rule(
        r"failed to execute: \S+: Permission denied",
        "the containers' data path is mounted noexec (enroot#156)",
        "findmnt -no OPTIONS -T the data path: remount it exec",
    ),
    Rule(
        r"mount: drop permissions failed", "enroot 4.1.0 is broken (enroot#261)", "playbooks/site.yml installs a newer"
    ),
    Rule(
        r"Command not found: nvidia-container-cli",
        "libnvidia-container-tools is missing, or not on slurmd's PATH (pyxis#101)",
        "install the toolkit; srun command -v nvidia-container-cli",
    ),
    Rule(
        r"driver/library version mismatch|Driver/library version mismatch",
        "the driver was upgraded and not reloaded (nct#394)",
        "reboot the node, and hold the driver's packages",
    ),
    Rule(
        r"driver rpc error: timed out",
        "the driver takes too long to start: persistence is off (nct#237)",
        "systemctl enable --now nvidia-persistenced",
    ),
    Rule(
        r"add device rules|bpf_prog_query\(BPF_CGROUP_DEVICE\) failed",
        "libnvidia-container 1.17.7 is broken (nct#1093)",
        "install another version of the four toolkit packages",
    ),
    Rule(
        r"unsatisfied condition: (cuda\S+)",
        "the image needs a newer driver: {0} (nct#152)",
        "a newer driver, or an older image",
    ),
    Rule(
        r"nvidia_uvm is not loaded",
        "the kernel module nvidia_uvm is not loaded (apptainer's GPU page)",
        "modprobe nvidia_uvm; write it to /etc/modules-load.d",
    ),
    Rule(
        r"(\S*hooks\.d/\S+).*(?:Permission denied|exited with return code \d+)|hook.*(?:failed|denied)",
        "an enroot hook fails: {0}",
        "ls -l the hook: it must be executable; run it with enroot start on this node",
    ),
    Rule(
        r"source path does not exist: (\S+)|failed to mount: (\S+) at \S+ No such file or directory",
        "a directory to mount is missing on this node: {0}",
        "ls -ld it on this node: is its file system mounted?",
    ),
    Rule(
        r"couldn't bind|failed to mount: (\S+)",
        "a path could not be mounted into the container: {0}",
        "ls -ld the path on this node, as the user",
    ),
    Rule(
        r"ModuleNotFoundError: No module named '(\w+)'",
        "the image's python3 lacks its standard library ({0})",
        "choose an image with a whole python3 (validate_image)",
        "user",
    ),
    Rule(
        r"failed to execute: (\S+): No such file or directory",
        "the image has no {0}, or is for another architecture",
        "choose an image with a shell and python3 for this architecture (validate_image)",
        "user",
    ),
    Rule(
        r"Plugin initialization failed|plugin_load_from_file: .*|Plug-in initialization failed",
        "this node's slurmd cannot load Slurm's plugin stack, or has not read it since it changed",
        "playbooks/reconfigure.yml; journalctl -u slurmd -n 30",
    ),
    Rule(
        r"Communication connection failure",
        "slurmd ended while the container was being started: its plugin stack names a file that is missing or damaged",
        "systemctl status slurmd; journalctl -u slurmd -n 20; ls -l the plugin that plugstack.conf names",
    ),
    # An empty log: enroot itself was never started.
    Rule(
        r"printing enroot log file:\s*\n\S+: error: spank",
        "enroot is not on this node, or not on slurmd's PATH",
        "playbooks/site.yml; systemctl show slurmd -p Environment",
    ),
    Rule(
        r"execve\(\): (\S+): No such file or directory",
        "the image has no {0}",
        "choose an image with python3 (validate_image)",
        "user",
    ),
    Rule(
        r"(?m)(?:[Cc]ommand not found|No such file or directory): ((?!enroot)[\w-]+)$",
        "the program {0}, which enroot needs, is not on this node",
        "install it (unsquashfs, mksquashfs: squashfs-tools), or playbooks/site.yml --limit this node",
    ),
    Rule(
        r"command not found: enroot|enroot: not found|execve: enroot|failed to exec.*enroot",
        "enroot is not on this node, or not on slurmd's PATH",
        "playbooks/site.yml; systemctl show slurmd -p Environment",
    ),
    # Nothing else was said: what was printed until then has the rules above.
    Rule(
        r"no answer within",
        "the container's start hangs: a hook, the registry, or the disk",
        "start it again, and meanwhile on the node: ps -ef --forest shows below slurmstepd what it waits for",
    ),
)
LAUNCH = (
    TASK_PROLOG,
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
        "findmnt -o TARGET,FSTYPE,OPTIONS /sys/fs/cgroup (rw); cat /proc/cgroups; systemctl show slurmd -p Delegate; "
        "journalctl -u slurmd -n 30; systemctl restart slurmd, and reboot where that does not help",
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
        "systemctl status slurmd; journalctl -u slurmd -n 20",
    ),
    Rule(
        r"Socket timed out|no answer within",
        "slurmd hangs, or a prolog does, or the node's file system, or a firewall between node and submit host "
        "(SrunPortRange)",
        "systemctl status slurmd; ps -eo pid,stat,wchan:20,cmd | awk '$2 ~ /D|T/'; dmesg -T | tail; then "
        "systemctl restart slurmd",
    ),
    Rule(
        r"Unable to confirm allocation|Job/step already completing",
        "Slurm took the allocation back meanwhile",
        "scontrol show node; journalctl -u slurmctld: who cancelled the job or drained the node?",
        "operator",
    ),
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
        "ls -l /dev/null must say crw-rw-rw- 1, 3; else: rm /dev/null && mknod -m 666 /dev/null c 1 3",
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
)
REFUSED = (
    # One job of the account less, or a smaller one, would be given: the nodes have no part in it.
    Rule(
        r"Reason=((?:QOS|Assoc)\w*|AccountNotAllowed|QOSNotAllowed)|\b((?:QOS|Assoc)(?:Grp|Max|Min)?\w+)\b",
        "a limit of the account or its QOS stops the run's jobs: {0}",
        "sacctmgr show qos; sacctmgr show assoc user=$USER format=account,qos,maxsubmit,maxjobs,maxtres; name another "
        "validate_account, raise the limit, or test with --limit some nodes at a time",
        "operator",
    ),
    Rule(
        r"violates accounting/QOS policy|MaxJobCount limit reached|breached requested QOS usage threshold",
        "a limit of the account, of its QOS or of the cluster stops the run's jobs",
        "sacctmgr show qos; sacctmgr show assoc user=$USER format=account,qos,maxsubmit,maxjobs,maxtres; name another "
        "validate_account, raise the limit, or test with --limit some nodes at a time",
        "operator",
    ),
    Rule(
        r"Invalid qos specification",
        "the account's default QOS may not be used in this partition",
        "sacctmgr show assoc user=$USER format=account,partition,qos,defaultqos; scontrol show partition: AllowQos",
        "operator",
    ),
    Rule(
        r"Reason=(?:Priority|ReqNodeNotAvail, May be reserved for other job)|insufficient priority",
        "jobs of others come first in this partition, although the nodes are idle",
        "squeue --state=PENDING --sort=-p; use a reservation (validate_reservation), or a longer validate_immediate",
        "operator",
    ),
    Rule(
        r"maintenance reservation|Access denied to requested reservation|Reason=\(?ReqNodeNotAvail[^\n]*Reserved",
        "the nodes are reserved for others",
        "scontrol show reservation; name it with validate_reservation where the account may use it",
        "operator",
    ),
    Rule(
        r"Required partition not available",
        "the partition is down, inactive or drained",
        "scontrol show partition: State; scontrol update partitionname=… state=up",
        "operator",
    ),
    Rule(
        r"Invalid account or account/partition combination",
        "the account may not use this partition",
        "validate_account and validate_partition; sacctmgr show assoc user=$USER",
        "operator",
    ),
    Rule(
        r"invalid partition specified: (\S+)|Invalid partition name",
        "there is no such partition",
        "validate_partition; sinfo -s",
        "operator",
    ),
    Rule(
        r"group not permitted|User's group|not permitted to use this partition",
        "the account's group may not use this partition",
        "scontrol show partition: AllowGroups",
        "operator",
    ),
    Rule(
        r"time limit is invalid|PartitionTimeLimit",
        "the partition, or the account's limits, allow less time than the run asks for",
        "scontrol show partition: MaxTime; sacctmgr show assoc: MaxWall; a smaller validate_tier asks for less",
        "operator",
    ),
    Rule(
        r"not in reservation|reservation is invalid|Requested reservation",
        "the reservation does not give this node to this account",
        "scontrol show reservation",
        "operator",
    ),
    Rule(
        r"DOWN, DRAINED|down, drained or reserved",
        "the node went down or was drained after the roster was read, or is reserved",
        "sinfo -R; scontrol show reservation",
        "operator",
    ),
    Rule(
        r"Requested node configuration is not available",
        "Slurm has no such node with these GPUs in the partition",
        "scontrol show node: Gres, CfgTRES, Partitions",
        "operator",
    ),
    Rule(
        r"Invalid user id|Error generating job credential",
        "slurmctld does not know the account that submits: it is missing on the controller",
        "on the controller: getent passwd of the account, by name and by number; systemctl status sssd, or the name "
        "service that is used",
    ),
    Rule(
        r"unrecognized option|plugin stack|Incompatible Slurm plugin|Plug-in initialization",
        "Slurm's commands do not work on the submit host",
        "playbooks/reconfigure.yml",
    ),
)
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
        "on {name}: ls /dev/nvidia[0-9]*; nvidia-smi -L; dmesg -T | grep -i 'xid\\|fallen off'; slurmd -G; reboot, or "
        "power off and on; then systemctl restart slurmd",
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
        "on {name}: last -x -n 5 reboot shutdown; journalctl -b -1 -n 50; ipmitool sel list; deep tier before users",
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
