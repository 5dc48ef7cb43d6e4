"""Which accelerators a node has, from its PCI bus or from the inventory."""

from __future__ import annotations

import os
import re
from typing import Any, Iterable

PCI_DEVICES = "/sys/bus/pci/devices"
DEVICES = "/dev"
NONE = "none"
# In the order in which they decide: a server's processor may bring AMD graphics of its own along.
VENDORS = ("nvidia", "neuron", "amd")
# Vendor, and the device's base class or its own number. Display controllers are class 03, processing accelerators 12
# (PCI Code and ID Assignment); bridges (NVSwitch) and sound of the same vendors are neither.
# AWS's numbers: neuron_device.h of aws-neuron-driver 2.x (Inferentia 1 and 2, Trainium 1 and 2).
PCI_VENDORS = {"10de": "nvidia", "1002": "amd", "1d0f": "neuron"}
PCI_CLASSES = {"nvidia": ("03",), "amd": ("03", "12")}
NEURON_DEVICES = ("7064", "7065", "7066", "7067", "7164", "7264", "7364")
# One node for each accelerator, below /dev; AMD's are not told apart from those of other graphics.
DEVICE_NODES = {"nvidia": re.compile(r"nvidia[0-9]+"), "neuron": re.compile(r"neuron[0-9]+")}


def vendor_of(vendor: str, kind: str, device: str) -> str:
    """Return whose accelerator a PCI device is, NONE for any other device.

    ``vendor`` and ``device`` have four hexadecimal digits, ``kind`` is the six-digit class.
    """
    name = PCI_VENDORS.get(vendor, NONE)
    if name == "neuron":
        return name if device in NEURON_DEVICES else NONE
    return name if kind.startswith(PCI_CLASSES.get(name, ())) else NONE


def judge(pci: Iterable[str], nodes: Iterable[str], wanted: str) -> dict[str, Any]:
    """Return vendor, count and source.

    ``pci`` has whose each PCI device is, ``nodes`` the names below /dev, and ``wanted`` what the inventory says:
    a vendor, none, or anything else to look by oneself. Device nodes count where the bus does not show what the
    inventory names.
    """
    found = list(pci)
    counts = {name: found.count(name) for name in VENDORS}
    if wanted not in (*VENDORS, NONE):
        vendor = next((name for name in VENDORS if counts[name]), NONE)
        return {"vendor": vendor, "count": counts.get(vendor, 0), "source": "pci"}
    pattern = DEVICE_NODES.get(wanted)
    seen = sum(bool(pattern and pattern.fullmatch(name)) for name in nodes)
    return {"vendor": wanted, "count": counts.get(wanted, 0) or seen, "source": "inventory"}


def read_pci(directory: str = PCI_DEVICES) -> list[str]:
    """Return whose accelerator each PCI device is; a machine without the bus has none."""
    devices = [os.path.join(directory, name) for name in _names(directory)]
    return [
        vendor_of(_attribute(device, "vendor"), _attribute(device, "class"), _attribute(device, "device"))
        for device in devices
    ]


def gather(wanted: str) -> dict[str, Any]:
    """Return the fact C(gpu) of this node."""
    return judge(read_pci(PCI_DEVICES), _names(DEVICES), wanted)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []


def _attribute(device: str, name: str) -> str:
    try:
        with open(os.path.join(device, name), encoding="ascii") as stream:
            return stream.read().strip().removeprefix("0x")
    except OSError:
        # A device that was taken out meanwhile.
        return ""
