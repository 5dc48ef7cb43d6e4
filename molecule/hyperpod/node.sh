# shellcheck shell=bash
# node.sh HEAD LOGIN COMPUTE…: addresses. Makes a sandbox node one of a HyperPod cluster, as OnCreate finds it: files
# in place, no daemon of Slurm running, slurmd configless on login nodes, too. Sourced after sandbox/opt_slurm.sh.
head=$1
login=$2
shift 2
if [ "$(hostname)" = login1 ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install slurmd >/dev/null
  rm /usr/sbin/policy-rc.d
fi
move_slurm
case $(hostname) in
  head)
    unit slurmctld ''
    # A login node's slurmd needs a name, and no jobs.
    grep -q NodeName=login1 /opt/slurm/etc/slurm.conf || echo 'NodeName=login1 CPUs=1' >>/opt/slurm/etc/slurm.conf
    # The platform's agent names the nodes that there are: one more comes later.
    sed -i 's/compute\[1-3\]/compute[1-2]/' /opt/slurm/etc/slurm.conf /opt/slurm/etc/gres.conf
    ;;
  *)
    rm -f /opt/slurm/etc/*.conf
    unit slurmd "\$SLURMD_OPTIONS" slurm
    sed -i '/^ExecStart=/i ExecStartPre=/bin/rm -f /opt/slurm/etc/slurm.conf' /etc/systemd/system/slurmd.service
    ;;
esac
systemctl daemon-reload
mkdir -p /opt/ml/config /var/log/provision
instances() { # NAME ADDRESS…
  name=$1 number=0 separator=''
  shift
  for address in "$@"; do
    number=$((number + 1))
    printf '%s{"InstanceName": "%s-%d", "AgentIpAddress": "172.16.0.%d", "CustomerIpAddress": "%s", "InstanceId": "i-%s%d"}' \
      "$separator" "$name" $number $number "$address" "$name" $number
    separator=', '
  done
}
cat >/opt/ml/config/resource_config.json <<END
{"ClusterConfig": {"ClusterArn": "arn:aws:sagemaker:us-west-2:111122223333:cluster/sandbox", "ClusterName": "sandbox"},
 "ClusterType": "Slurm",
 "SlurmConfig": {"PrimaryControllerIp": "$head", "SecondaryControllerIps": []},
 "InstanceGroups": [
  {"Name": "controller-machine", "InstanceType": "ml.c5.xlarge", "Instances": [$(instances controller-machine "$head")]},
  {"Name": "login-group", "InstanceType": "ml.m5.xlarge", "Instances": [$(instances login-group "$login")]},
  {"Name": "workers", "InstanceType": "ml.p5.48xlarge", "Instances": [$(instances workers "$@")]},
  {"Name": "workers-spare", "InstanceType": "ml.g5.8xlarge", "Instances": null}]}
END
chmod 0600 /opt/ml/config/resource_config.json
