"""Why Slurm's commands get no answer on a host, where that is not the controller's doing: what they say themselves."""

from __future__ import annotations

from validate.causes.rule import PLUGIN_OPTION, Rule

OTHER_KEY = (
    "slurmctld refuses who asks, or this host its answer: they have another munge key (slurm.key), or another time",
    "date on both hosts; sha256sum /etc/munge/munge.key, or /etc/slurm/slurm.key, as root; systemctl restart munge",
)

# The first that matches counts. Words of Slurm's parse_config.c, read_config.c and fetch_config.c; not recorded.
ASKING = (
    PLUGIN_OPTION,
    Rule(
        r"cannot stat file (\S+?):? ",
        "the commands of this host are to read {0}, which is not there, or lies in a directory that is closed to users",
        "as the account: echo $SLURM_CONF; namei -l FILE; grep -rs SLURM_CONF /etc/profile.d /etc/environment; correct "
        "it, or unset SLURM_CONF",
    ),
    Rule(
        r"[Pp]arsing error at unrecognized key: (\S+)|Parse error in file (\S+ line \d+)",
        "the slurm.conf of this host holds what its Slurm does not understand: {0}",
        "compare it with the controller's: correct the line, or upgrade Slurm here where the key is a newer one's",
    ),
    Rule(
        r"DNS SRV lookup failed|Could not establish a configuration source",
        "this host has no slurm.conf, and knows no controller from which to fetch it",
        "ls -ld /etc/slurm /run/slurm/conf; systemctl status sackd slurmd: they fetch it, with --conf-server; else the "
        "DNS record _slurmctld._tcp, or the site's slurm.conf",
    ),
    # munge runs here, and says so of what another munge made.
    Rule(r"Munge decode failed: (?:Invalid|Expired|Rewound|Replayed) credential", *OTHER_KEY),
    Rule(
        r"(?i)munge",
        "munge does not run on this host, or users do not reach it: no command of Slurm works without it",
        "systemctl status munge; ls -ld /run/munge: of munge, 0755; systemctl restart munge",
    ),
    Rule(r"Protocol authentication error|Zero Bytes were transmitted or received", *OTHER_KEY),
)
