"""HyperPod's cluster of the tests: how its nodes are laid out, and what is asked of them."""

from __future__ import annotations

from tests.lifecycle.harness import Nodes

FIRST = ("head", "login1", "compute1", "compute2")
COMPUTES = ("compute1", "compute2")
LATER = "compute3"
PREFIX = "/tmp/sagemaker-sandbox/src"
ETC = "/opt/slurm/etc"
PLUGSTACK = f"{ETC}/plugstack.conf"
HOOK = f"{PREFIX}/on_create.sh"
# The files that the platform's agent owns keys of.
AGENTS = f"sha256sum {ETC}/slurm.conf {ETC}/gres.conf"
# The agent writes its own keys anew and keeps no order.
OWN = "^(ClusterName|SlurmctldHost|NodeName|PartitionName)="
REWRITE = f"""cd {ETC}
{{ grep -Ev '{OWN}' slurm.conf; grep -E '{OWN}' slurm.conf; echo SchedulerParameters=permit_job_expansion; }} > new
mv new slurm.conf
/opt/slurm/bin/scontrol reconfigure"""
DAEMONS = "systemctl show -p MainPID --value slurmctld slurmd docker containerd"
# Docker's own data, as an earlier root filesystem has left it on a disk of its own.
OLD_IMAGE = "echo kept > /root/kept; tar -C /root -c kept | docker import --message old - old:1"
DATA = "/scratch/slipway"
# Looks for scontrol where upstream's 50-slurm-pmi.sh does, which asks only for jobs with PMIx.
HOOK_FILE = "/etc/enroot/hooks.d/50-look.sh"
SCONTROL_HOOK = r'''#!/bin/bash
echo "FOUND=$(command -v scontrol)" >> "${ENROOT_ENVIRON}"'''
# slurmctld as it is in a large cluster: it reads its files, and takes a while until it answers.
LATE = f"""[Service]
ExecStart=
ExecStart=/bin/sh -c "until grep -q pyxis {PLUGSTACK}; do sleep 1; done; sleep 3; exec /opt/slurm/sbin/slurmctld -D" """
LISTS = "/etc/apt/sources.list.d"
OURS = f"{LISTS}/slipway-apptainer.sources"
OPTION = "/opt/slurm/bin/srun --help | grep -q container-image"
# A pyxis of the platform's own: its plugin, its line, and an enroot whose paths its agent has tuned.
IMAGES_PLUGIN = "/opt/slurm/lib/slurm/spank_pyxis.so"
IMAGES_LINE = f"required {IMAGES_PLUGIN} runtime_path=/run/pyxis"
IMAGES = f"""sha256sum {IMAGES_PLUGIN} /etc/enroot/mounts.d/90-platform.fstab
grep -E '^ENROOT_(DATA_PATH|TRANSFER_RETRIES) ' /etc/enroot/enroot.conf
stat -c %Y /var/lib/dpkg/info/enroot.list"""
TUNE = """printf '%s\\n' 'ENROOT_DATA_PATH /opt/sagemaker/enroot/user-$(id -u)' 'ENROOT_TRANSFER_RETRIES 9' \\
  >> /etc/enroot/enroot.conf
echo '/opt/sagemaker /opt/sagemaker none x-create=dir,bind,nofail' > /etc/enroot/mounts.d/90-platform.fstab"""
# Units that run on a node, but for those of the terminal and of a user who looks.
RUNNING = "systemctl list-units --type=service,socket --state=active --plain --no-legend | cut -d' ' -f1 | sort"
PARAMETERS = """{"version": "1.0.0", "workload_manager": "slurm", "controller_group": "controller-machine",
 "login_group": "login-group", "worker_groups": [{"instance_group_name": "workers", "partition_name": "main"}]}"""


def prepare(made: Nodes, node: str) -> None:
    """Lay a node out, and copy the prefix to it as the platform does."""
    names = ("head", "login1", "compute1", "compute2", "compute3")
    made.lay_out(node, *(made.address(name) for name in names))
    made.sandbox.alter(node, f"mkdir -p {PREFIX}")
    target = f"{made.sandbox.cluster.node(node).id}:{PREFIX}/"
    made.sandbox.podman("cp", f"{made.bundle.directory}/.", target)
    made.sandbox.alter(node, f"cat > {PREFIX}/provisioning_parameters.json <<'END'\n{PARAMETERS}\nEND")
