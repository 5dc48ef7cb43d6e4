# shellcheck shell=bash
# node.sh HEAD LOGIN COMPUTE…: addresses. Makes a sandbox node one of ParallelCluster's, as OnNodeConfigured finds it:
# slurmctld runs on the head, whose /opt/slurm the others have mounted read-only over the network; slurmd on computes is
# enabled, and started after the hook. Sourced after sandbox/opt_slurm.sh.
head=$1
mkdir -p /etc/parallelcluster /etc/sysconfig /root/.ssh
echo "aws-parallelcluster-cookbook-3.11.1" | install -D /dev/stdin /opt/parallelcluster/.bootstrapped
case $(hostname) in
  head) type=HeadNode ;;
  login*) type=LoginNode ;;
  *) type=ComputeFleet ;;
esac
cat >/etc/parallelcluster/cfnconfig <<END
stack_name=sandbox
cfn_node_type=$type
cfn_region=us-east-1
cfn_scheduler=slurm
cfn_ephemeral_dir=/scratch
cfn_ebs_shared_dirs=NONE
cfn_cluster_user=operator
cfn_postinstall="/tmp/x y.sh"
cfn_postinstall_args=()
END
[ "$type" = HeadNode ] || printf 'cfn_head_node=head\ncfn_head_node_private_ip=%s\n' "$head" >>/etc/parallelcluster/cfnconfig
[ "$type" != ComputeFleet ] || echo 'cfn_scheduler_queue_name=main' >>/etc/parallelcluster/cfnconfig

move_slurm
if [ "$type" = HeadNode ]; then
  unit slurmctld ''
  # Each node reads the shared file: nobody fetches it.
  sed -i 's/^SlurmctldParameters=enable_configless$//' /opt/slurm/etc/slurm.conf
  # What nfsd says of its exports on a real head; here the others mount it by sshfs.
  mkdir -p /var/lib/nfs
  echo '/opt/slurm 10.0.0.0/8(ro)' >/var/lib/nfs/etab
  [ -e /images/lifecycle/key ] || {
    mkdir -p /images/lifecycle
    ssh-keygen -q -t ed25519 -N '' -f /images/lifecycle/key
  }
  cat /images/lifecycle/key.pub >>/root/.ssh/authorized_keys
  systemctl daemon-reload
  systemctl enable --quiet --now slurmctld
else
  [ "$type" != ComputeFleet ] || {
    unit slurmd '' slurm
    # Programs of the image are hidden by the mount, as on the platform; slurmd's own lies beside them.
    cp -p /opt/slurm/sbin/slurmd /opt/slurm/sbin/slurmstepd /usr/local/sbin/
    sed -i 's,/opt/slurm/sbin/slurmd,/usr/local/sbin/slurmd,' /etc/systemd/system/slurmd.service
    ln -sfn /usr/local/sbin/slurmstepd /usr/sbin/slurmstepd
    # The platform's recipe sees to it that enroot's hook 50-slurm-pmi.sh, which slurmd starts, finds scontrol.
    echo 'PATH=/opt/slurm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' >/etc/sysconfig/slurmd
    systemctl daemon-reload
    systemctl enable --quiet slurmd
  }
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install sshfs >/dev/null 2>&1
  install -m 0600 /images/lifecycle/key /root/.ssh/lifecycle
  # A directory of the image's own, hidden by the mount.
  rm /opt/slurm
  cp -a /opt/slurm-24.11 /opt/slurm
  cat >/root/mount_slurm <<'END'
exec sshfs -o ro,allow_other,IdentityFile=/root/.ssh/lifecycle,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null \
  root@head:/opt/slurm/ /opt/slurm
END
  [ "$(cat /root/mount)" = no ] || sh /root/mount_slurm
fi
