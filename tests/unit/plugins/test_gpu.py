"""Whose accelerators a node has, judged from values and from a bus made of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import gpu

# Vendor, class, device, and whose it is.
PCI = {
    "NVIDIA H100": ("10de", "030200", "2330", "nvidia"),
    "NVIDIA with a screen": ("10de", "030000", "1eb8", "nvidia"),
    "NVSwitch": ("10de", "068000", "22a3", "none"),
    "NVIDIA sound": ("10de", "040300", "10f8", "none"),
    "AMD Instinct MI300X": ("1002", "120000", "74a1", "amd"),
    "AMD Instinct MI210": ("1002", "038000", "740f", "amd"),
    "AMD sound": ("1002", "040300", "ab28", "none"),
    "Inferentia 1": ("1d0f", "088000", "7064", "neuron"),
    "Trainium 1": ("1d0f", "088000", "7164", "neuron"),
    "AWS network": ("1d0f", "020000", "ec20", "none"),
    "AWS disk": ("1d0f", "010802", "8061", "none"),
    "a server's management": ("1a03", "030000", "2000", "none"),
    "gone": ("", "", "", "none"),
}


@pytest.mark.parametrize("name", PCI)
def test_whose_a_pci_device_is(name: str) -> None:
    *device, vendor = PCI[name]
    assert gpu.vendor_of(*device) == vendor


@pytest.mark.case("R23")
@pytest.mark.case("E10")
@pytest.mark.parametrize(
    ("pci", "wanted", "vendor", "count", "source"),
    [
        ([], "auto", "none", 0, "pci"),
        (["none", "none"], "auto", "none", 0, "pci"),
        (["nvidia"] * 8 + ["none"], "auto", "nvidia", 8, "pci"),
        (["amd"] * 4, "auto", "amd", 4, "pci"),
        (["neuron"] * 16, "auto", "neuron", 16, "pci"),
        # Graphics of the processor beside the accelerators.
        (["amd", "nvidia", "nvidia"], "auto", "nvidia", 2, "pci"),
        (["amd", "neuron"], "auto", "neuron", 1, "pci"),
        (["nvidia"], "none", "none", 0, "inventory"),
        (["nvidia", "nvidia"], "nvidia", "nvidia", 2, "inventory"),
        ([], "nvidia", "nvidia", 2, "inventory"),
        ([], "neuron", "neuron", 1, "inventory"),
        ([], "amd", "amd", 0, "inventory"),
        # Preflight refuses a word that is none of them; here it must not do harm.
        (["amd"], "nvidea", "amd", 1, "pci"),
    ],
)
def test_what_a_node_has(pci: list[str], wanted: str, vendor: str, count: int, source: str) -> None:
    nodes = ["null", "nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "neuron0"]
    assert gpu.judge(pci, nodes, wanted) == {"vendor": vendor, "count": count, "source": source}


@pytest.mark.case("R23")
def test_the_bus_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (vendor, kind, device, _expected) in enumerate(list(PCI.values())[:3]):
        place = tmp_path / ("0000:%02x:00.0" % number)
        place.mkdir()
        for name, value in (("vendor", vendor), ("class", kind), ("device", device)):
            (place / name).write_text("0x%s\n" % value)
    (tmp_path / "0000:ff:00.0").mkdir()
    assert gpu.read_pci(str(tmp_path)) == ["nvidia", "nvidia", "none", "none"]
    monkeypatch.setattr(gpu, "PCI_DEVICES", str(tmp_path))
    assert gpu.gather("auto") == {"vendor": "nvidia", "count": 2, "source": "pci"}


def test_a_machine_without_the_bus_has_none(tmp_path: Path) -> None:
    assert gpu.read_pci(str(tmp_path / "absent")) == []
