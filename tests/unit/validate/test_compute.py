"""C-04's worker against a driver library played in Python, and what its answers mean.

The kernel itself was assembled by NVIDIA's ptxas 12 for sm_70 to sm_100; it has not yet run on a GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
from typing import Any

import pytest

from tests.unit.validate.test_checks import judge
from validate.kernel import WORKER
from validate.model import ERROR, FAIL, PASS

ROUNDS, MODULUS = 500, 2**32
FACTOR = pow(1664525, ROUNDS, MODULUS)
SUMMAND = 1013904223 * sum(pow(1664525, exponent, MODULUS) for exponent in range(ROUNDS)) % MODULUS


class Driver:
    """libcuda as far as the worker calls it: ``wrong`` elements are wrong, ``codes`` are what calls return."""

    def __init__(self, wrong: int = 0, codes: dict[str, int] | None = None) -> None:
        self.wrong, self.codes = wrong, codes or {}
        self.launched: tuple[Any, ...] = ()

    def __getattr__(self, name: str) -> Any:
        played = {
            "cuGetErrorName": self.error_name, "cuDeviceGetName": self.device_name, "cuMemAlloc_v2": self.allocate,
            "cuLaunchKernel": self.start, "cuMemcpyDtoH_v2": self.copy,
        }.get(name, lambda *_arguments: 0)  # fmt: skip
        return lambda *arguments: self.codes.get(name, 0) or played(*arguments)

    def error_name(self, code: int, text: Any) -> int:
        text._obj.value = b"CUDA_ERROR_%d" % code
        return 0

    def device_name(self, title: Any, size: int, device: Any) -> int:
        title.value = b"NVIDIA H100"
        return 0

    def allocate(self, memory: Any, size: Any) -> int:
        memory._obj.value = 0x7F0000000000
        self.size = size.value
        return 0

    def start(self, *arguments: Any) -> int:
        self.launched = arguments[1:7]
        return 0

    def copy(self, address: Any, source: Any, size: Any) -> int:
        assert self.launched, "read before the kernel ran"
        first = (source.value - 0x7F0000000000) // 4
        assert source.value + size.value <= 0x7F0000000000 + self.size
        values = (ctypes.c_uint32 * (size.value // 4)).from_address(address.value)
        for index in range(len(values)):
            values[index] = (FACTOR * (first + index) + SUMMAND) % MODULUS
        if self.wrong:
            values[7] ^= 1
            self.wrong -= 1
        return 0


def work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], driver: Driver) -> dict[str, Any]:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver)
    monkeypatch.setattr("sys.argv", ["worker", "0"])
    with contextlib.suppress(SystemExit):
        exec(compile(WORKER, "worker", "exec"), {"__name__": "__main__"})
    return dict(json.loads(capsys.readouterr().out))


def test_the_closed_form_is_what_the_kernel_computes():
    value = 12345
    for _ in range(ROUNDS):
        value = (value * 1664525 + 1013904223) % MODULUS
    assert value == (FACTOR * 12345 + SUMMAND) % MODULUS


def test_a_good_gpu_has_no_wrong_number(monkeypatch, capsys):
    driver = Driver()
    answer = work(monkeypatch, capsys, driver)
    assert answer["wrong"] == 0 and answer["device"] == "NVIDIA H100"
    blocks, _y, _z, threads, *_rest = driver.launched
    assert blocks * threads * 4 == driver.size == 2**28


def test_one_flipped_bit_is_seen(monkeypatch, capsys):
    assert work(monkeypatch, capsys, Driver(wrong=3))["wrong"] == 3


@pytest.mark.parametrize("name", ["cuInit", "cuModuleLoadData", "cuCtxSynchronize", "cuMemcpyDtoH_v2"])
def test_a_call_that_fails_is_named(monkeypatch, capsys, name):
    assert work(monkeypatch, capsys, Driver(codes={name: 999})) == {
        "failed": name,
        "code": 999,
        "name": "CUDA_ERROR_999",
    }


RIGHT = {"device": "NVIDIA H100", "wrong": 0, "seconds": 0.01}


@pytest.mark.parametrize(
    ("last", "status", "words"),
    [
        (RIGHT, PASS, "8 GPUs"),
        ({**RIGHT, "wrong": 2}, FAIL, "silent corruption"),
        ({"hung": True}, FAIL, "wedged"),
        ({"failed": "cuInit", "code": 802, "name": "CUDA_ERROR_SYSTEM_NOT_READY"}, FAIL, "fabric manager"),
        ({"failed": "cuInit", "code": 999, "name": "CUDA_ERROR_UNKNOWN"}, FAIL, "nvidia_uvm"),
        ({"failed": "cuLaunchKernel", "code": 700, "name": "CUDA_ERROR_ILLEGAL_ADDRESS"}, FAIL, "ILLEGAL_ADDRESS"),
        ({"said": "OSError: libcuda.so.1: cannot open shared object file"}, FAIL, "libcuda.so.1"),
        ({}, FAIL, "nothing"),
        ("garbage", ERROR, "no list"),
    ],
)
def test_an_answer_has_its_meaning(last, status, words):
    finding = judge("C-04", [RIGHT] * 7 + [last], kind="nvidia")
    assert finding.status == status and words in f"{finding.observed} {finding.cause}"


def test_a_gpu_that_did_not_compute_is_missed():
    assert judge("C-04", [RIGHT] * 7, kind="nvidia").status == FAIL
    assert judge("C-04", [], kind="nvidia").status == FAIL
