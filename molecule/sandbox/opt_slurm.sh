# shellcheck shell=bash
# Moves Debian's Slurm of a sandbox node to where the images of HyperPod and ParallelCluster have theirs: programs only
# below /opt/slurm and on nobody's PATH, configuration in /opt/slurm/etc. The programs are Debian's, so the paths that
# are built into them lead there by links: /etc/slurm, and slurmstepd, which slurmd looks for beside its old place.
set -eu

move_slurm() {
  systemctl disable --quiet --now slurmctld slurmd sackd 2>/dev/null || true
  rm -f /etc/default/slurmd /etc/default/sackd /etc/default/slurmctld
  real=/opt/slurm-24.11
  mkdir -p "$real/bin" "$real/sbin" "$real/lib" "$real/etc"
  for program in sacct sacctmgr salloc sattach sbatch sbcast scancel scontrol sdiag sinfo sprio squeue srun sshare sstat; do
    [ ! -e "/usr/bin/$program" ] || mv "/usr/bin/$program" "$real/bin/"
  done
  for program in slurmctld slurmd slurmstepd sackd; do
    [ ! -e "/usr/sbin/$program" ] || {
      target=$(readlink -f "/usr/sbin/$program")
      cp -p "$target" "$real/sbin/$program"
      rm -f "/usr/sbin/$program"
    }
  done
  [ ! -e "$real/sbin/slurmstepd" ] || ln -sf /opt/slurm/sbin/slurmstepd /usr/sbin/slurmstepd
  ln -sfn "$(dirname "$(echo /usr/lib/*/slurm-wlm/libslurmfull.so)")" "$real/lib/slurm"
  [ ! -d /etc/slurm ] || [ -L /etc/slurm ] || {
    cp -a /etc/slurm/. "$real/etc/"
    rm -rf /etc/slurm
  }
  ln -sfn "$real" /opt/slurm
  ln -sfn /opt/slurm/etc /etc/slurm
}

unit() { # NAME OPTIONS [RUNTIME-DIRECTORY]: as both platforms have it, in /etc and with the daemon in the foreground
  cat >"/etc/systemd/system/$1.service" <<END
[Unit]
After=network-online.target munge.service

[Service]
Type=simple
RuntimeDirectory=${3:-$1}
EnvironmentFile=-/etc/sysconfig/$1
ExecStart=/opt/slurm/sbin/$1 -D $2
ExecReload=/bin/kill -HUP \$MAINPID
KillMode=process
LimitNOFILE=131072
LimitMEMLOCK=infinity
LimitSTACK=infinity
Delegate=yes
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
END
}
