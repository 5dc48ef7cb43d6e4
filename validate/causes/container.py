"""Why a container did not start: what pyxis, enroot and Slurm say of the step."""

from __future__ import annotations

from validate.causes.rule import NO_PROCESS, NO_QUOTA, OUT_OF_MEMORY, PLUGIN_OPTION, TASK_PROLOG, Rule

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
    # Recorded from curl 7.88: a name that is none, a proxy that refuses, plain HTTP, and a quote that does not end.
    Rule(
        r"Could not resolve proxy: (\S+)",
        "this node is told to use a proxy whose name is not found: {0}",
        "as a job: env | grep -i proxy; /etc/environment, /etc/profile.d, enroot's environ.d, ~/.curlrc",
    ),
    Rule(
        r"CONNECT tunnel failed, response (\d+)|Received HTTP code (\d+) from proxy",
        "the proxy of this node refuses the way to the registry: HTTP {0}",
        "as a job: env | grep -i proxy; the site's registries belong into no_proxy; 407: the proxy wants an account",
    ),
    Rule(
        r"curl: \(35\)[^\n]*wrong version number",
        "the registry, or a proxy before it, speaks no TLS on this port",
        "its right port; or ENROOT_ALLOW_HTTP yes in enroot.conf, where the site's registry is to be asked without TLS",
    ),
    Rule(
        r"\.netrc parser error",
        "enroot's file of credentials cannot be read: a quote that does not end, or a line of another form",
        "~/.config/enroot/.credentials of the account: machine REGISTRY login USER password TOKEN, a line for each",
        "user",
    ),
    # Words of enroot's docker.sh.
    Rule(
        r"Could not parse digest information from (\S+)",
        "the registry has this image for no architecture of this node, or in a form that enroot does not read: {0}",
        "uname -m; docker manifest inspect IMAGE: choose a tag with this architecture (validate_image)",
        "user",
    ),
    Rule(
        r"curl: \(60\)|SSL certificate problem: ([^\n]+)",
        "this node does not trust the registry's certificate: {0}",
        "date on the node; the authority's file as /usr/local/share/ca-certificates/NAME.crt and "
        "update-ca-certificates, or /etc/pki/ca-trust/source/anchors and update-ca-trust",
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
        "install the toolkit; srun -w NODE sh -c 'command -v nvidia-container-cli'",
    ),
    Rule(
        r"driver/library version mismatch|Driver/library version mismatch",
        "the driver was upgraded and not reloaded (nct#394)",
        "reboot the node, and hold the driver's packages",
    ),
    Rule(
        r"driver rpc error: timed out",
        "the driver takes too long to start: persistence is off (nct#237)",
        "nvidia-smi -pm 1; systemctl enable --now nvidia-persistenced (N-16 says what Ubuntu needs)",
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
        "ls -ld it on this node: is its file system mounted? grep -rn its name in /etc/enroot/mounts.d and in the "
        "arguments of srun says who wants it",
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
    PLUGIN_OPTION,
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
