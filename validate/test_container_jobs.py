"""Jobs of an ordinary account on every compute node; each proves that it ran inside its image."""

from __future__ import annotations

import pytest

from validate.conftest import Submitter

SHOW = "cat /etc/os-release; echo node=$SLURMD_NODENAME"
# A device that the job's cgroup refuses cannot be opened, whatever its mode says.
OPEN_DEVICES = "for device in /dev/nvidia[0-9]; do (exec 3< $device) 2> /dev/null && echo open=$device; done; true"


def assert_inside(submitter: Submitter, node: str, output: str) -> None:
    """An exit code proves nothing: without the plugin the step runs on the node and succeeds."""
    system = submitter.os_of(node)
    assert "ID=" in output, f"no os-release in {output!r}"
    assert system not in output, f"the job ran on {node} itself and not in {submitter.image}"
    assert f"node={node}" in output


def test_srun(submitter: Submitter, node: str) -> None:
    output = submitter.run(f"srun --nodelist={node} --container-image={submitter.image} sh -c '{SHOW}'")
    assert_inside(submitter, node, output)


def test_sbatch(submitter: Submitter, node: str) -> None:
    script = f"#!/bin/sh\\n#SBATCH --container-image={submitter.image}\\n{SHOW}\\n"
    output = submitter.run(
        f"file=$(mktemp -p $HOME); printf '{script}' > $file.sh; "
        f"sbatch --quiet --wait --nodelist={node} --output=$file $file.sh; cat $file; rm -f $file $file.sh"
    )
    assert_inside(submitter, node, output)


def test_squashfs_path(submitter: Submitter, node: str) -> None:
    output = submitter.run(
        f"image=$HOME/validate-{node}.sqsh; rm -f $image; "
        f"enroot import --output $image docker://{submitter.image} > /dev/null 2> $image.log || cat $image.log; "
        f"srun --nodelist={node} --container-image=$image sh -c '{SHOW}'; rm -f $image $image.log"
    )
    assert_inside(submitter, node, output)


def test_mounts(submitter: Submitter, node: str) -> None:
    output = submitter.run(
        "directory=$(mktemp -d -p $HOME); echo seen > $directory/in; "
        f"srun --nodelist={node} --container-image={submitter.image} --container-mounts=$directory:/mnt/data "
        f"sh -c 'cat /mnt/data/in; echo written > /mnt/data/out; {SHOW}'; cat $directory/out; rm -r $directory"
    )
    assert_inside(submitter, node, output)
    assert "seen" in output
    assert "written" in output


def test_gpus(submitter: Submitter, node: str) -> None:
    if "gpu" not in submitter.run(f"sinfo --noheader --nodes={node} --format=%G"):
        pytest.skip(f"Slurm knows no GPUs on {node}")
    output = submitter.run(
        f"srun --nodelist={node} --gres=gpu:2 --container-image={submitter.image} sh -c '{SHOW}; {OPEN_DEVICES}'"
    )
    assert_inside(submitter, node, output)
    assert output.count("open=") == 2, f"a job with two GPUs can open {output.count('open=')}: {output}"


def test_plain_job(submitter: Submitter, node: str) -> None:
    assert submitter.run(f"srun --nodelist={node} hostname").strip() == node
