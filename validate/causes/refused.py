"""Why Slurm gives no allocation: what salloc and srun --test-only say."""

from __future__ import annotations

from validate.causes.rule import PLUGIN_OPTION, Rule

# The first that matches counts.
REFUSED = (
    # One job of the account less, or a smaller one, would be given: the nodes have no part in it.
    Rule(
        r"Reason=((?:QOS|Assoc)\w*|AccountNotAllowed|QOSNotAllowed)|\b((?:QOS|Assoc)(?:Grp|Max|Min)?\w+)\b",
        "a limit of the account or its QOS stops the run's jobs: {0}",
        "sacctmgr show qos; sacctmgr show assoc user=ACCOUNT format=account,qos,maxsubmit,maxjobs,maxtres; name "
        "another validate_account, raise the limit, or test with --limit some nodes at a time",
        "operator",
    ),
    Rule(
        r"violates accounting/QOS policy|MaxJobCount limit reached|breached requested QOS usage threshold",
        "a limit of the account, of its QOS or of the cluster stops the run's jobs",
        "sacctmgr show qos; sacctmgr show assoc user=ACCOUNT format=account,qos,maxsubmit,maxjobs,maxtres; name "
        "another validate_account, raise the limit, or test with --limit some nodes at a time",
        "operator",
    ),
    Rule(
        r"Invalid qos specification",
        "the account's default QOS may not be used in this partition",
        "sacctmgr show assoc user=ACCOUNT format=account,partition,qos,defaultqos; scontrol show partition: AllowQos",
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
        "validate_account and validate_partition; sacctmgr show assoc user=ACCOUNT",
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
    PLUGIN_OPTION,
    Rule(
        r"unrecognized option|plugin stack|Incompatible Slurm plugin|Plug-in initialization",
        "Slurm's commands do not work on the submit host",
        "playbooks/reconfigure.yml",
    ),
)
