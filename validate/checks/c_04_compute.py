"""C-04: every GPU computes, and correctly. Needs no toolkit in the image: the driver's own library and a PTX kernel."""

from __future__ import annotations

from typing import Any

from validate import kernel
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-04",
    title="every GPU computes, and correctly",
    tier="quick",
    step="container",
    cause="the driver in the container does not work",
    fix="nvidia-smi -q; dmesg -T | grep -i nvrm; reset the GPU or reboot the node",
    after=("C-01", "C-02", "C-03", "N-04", "N-13", "N-14", "N-17", "N-19", "N-23"),
    needs=("nvidia",),
    seconds=60,
    usual=10,
)
SECONDS = 40

CAPABILITIES = "NVIDIA_DRIVER_CAPABILITIES"
MEANINGS = {
    2: (
        "the GPU's memory is held by something else: N-23",
        "nvidia-smi; end what it lists; where it lists nothing: fuser -v /dev/nvidia*",
    ),
    46: (
        "the GPU takes no programs: its compute mode is prohibited or exclusive, or it must be reset",
        "nvidia-smi -q | grep -e 'Compute Mode' -e 'Recovery Action'; nvidia-smi -c 0; else nvidia-smi --gpu-reset",
    ),
    100: ("no device: the container has no GPU, or the job was given none", "C-02; NVIDIA_VISIBLE_DEVICES"),
    101: (
        "CUDA has fewer GPUs than there are device files: MIG mode is on, or CUDA_VISIBLE_DEVICES chooses some",
        "nvidia-smi -L; nvidia-smi -mig 0, as root; echo $CUDA_VISIBLE_DEVICES in the job",
    ),
    214: (
        "the GPU's memory has an error that cannot be corrected: N-19",
        "drain; nvidia-smi --gpu-reset, as root, or reboot; where it comes back: return the GPU",
    ),
    802: (
        "the fabric manager is not ready (pytorch#35710)",
        "systemctl status nvidia-fabricmanager, of the driver's version",
    ),
    803: ("driver and libraries are of different versions", "reboot the node"),
    999: (
        "nvidia_uvm is not loaded or not usable here (llama.cpp#7218)",
        "modprobe nvidia_uvm; nvidia-modprobe -u -c=0",
    ),
}


def observe(node: Node) -> Any:
    """Compute on all of them at once."""
    return kernel.everywhere(node, 0, SECONDS)


def judge(observed: Any, context: Context) -> Finding:
    """Every GPU that Slurm has answered, and every number is right."""
    expected = f"right results from {context.slurm['gpus']} GPUs"
    if not isinstance(observed, list) or not all(isinstance(answer, dict) for answer in observed):
        return errored("no list of answers")
    for index, answer in enumerate(observed):
        place = f"GPU {index}"
        if answer.get("hung"):
            return failed(f"{place}: no answer within {SECONDS} s", expected, "the GPU is wedged", "reboot the node")
        if "code" in answer:
            cause, fix = MEANINGS.get(answer["code"], ("", ""))
            return failed(
                f"{place}: {answer['failed']} returned {answer['code']} {answer['name']}", expected, cause, fix
            )
        if "wrong" not in answer:
            return failed(f"{place}: {answer.get('said') or 'nothing'}", expected, *unloaded(answer, context))
        if answer["wrong"]:
            return failed(
                f"{place} ({answer['device']}): {answer['wrong']} wrong numbers",
                expected,
                "the GPU computes wrongly without saying so: silent corruption",
                "drain the node, and return the GPU",
            )
    if len(observed) != context.slurm["gpus"]:
        return failed(f"{len(observed)} GPUs computed", expected)
    return passed(f"{len(observed)} GPUs, {max((answer['seconds'] for answer in observed), default=0)} s at most")


def unloaded(answer: Any, context: Context) -> tuple[str, str]:
    """Return cause and fix of a worker that found no driver library to begin with."""
    if "libcuda" not in str(answer.get("said")):
        return "", ""
    # Where it is not set, NVIDIA's hook of enroot mounts nvidia-smi alone.
    given = ((context.others.get("C-02") or {}).get("variables") or {}).get(CAPABILITIES)
    if given is None or {"all", "compute"} & set(given.split(",")):
        return (
            "the driver's library libcuda.so.1 is not in the container",
            "ldconfig -p | grep libcuda.so.1 on the node: install the driver's compute libraries there",
        )
    return (
        f"{CAPABILITIES}{f'={given}' if given else ' is not set, which'} lacks compute: libcuda.so.1 is not mounted",
        f"{CAPABILITIES}=compute,utility in /etc/enroot/environ.d/50-nvidia.env",
    )
