"""A program that computes on one GPU and compares: no toolkit, the driver's own library and a PTX kernel.

Part of the probe. Started as ``python3 -c WORKER INDEX [SECONDS]``; repeats for SECONDS, and prints one JSON object.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from validate.probing import Node

# A process for each GPU: one that hangs in the driver takes no other with it. 256 MiB are written; each element is 500
# rounds of a linear congruential generator, whose result is known in closed form, and eight slices are compared.
WORKER = r"""
import array, ctypes, json, sys, time
PTX = b'''
.version 6.0
.target sm_50
.address_size 64
.visible .entry work(.param .u64 out, .param .u32 count, .param .u32 rounds)
{
    .reg .pred %p<3>; .reg .b32 %r<9>; .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [out]; ld.param.u32 %r1, [count]; ld.param.u32 %r2, [rounds];
    mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x; mov.u32 %r5, %tid.x;
    mad.lo.u32 %r6, %r3, %r4, %r5;
    setp.ge.u32 %p1, %r6, %r1; @%p1 bra DONE;
    mov.u32 %r7, %r6; mov.u32 %r8, 0;
LOOP:
    mad.lo.u32 %r7, %r7, 1664525, 1013904223;
    add.u32 %r8, %r8, 1; setp.lt.u32 %p2, %r8, %r2; @%p2 bra LOOP;
    cvta.to.global.u64 %rd2, %rd1; mul.wide.u32 %rd3, %r6, 4; add.u64 %rd2, %rd2, %rd3;
    st.global.u32 [%rd2], %r7;
DONE:
    ret;
}
'''
COUNT, ROUNDS, BLOCK, SLICE = 1 << 26, 500, 256, 1 << 17
driver = ctypes.CDLL("libcuda.so.1")
def call(name, *arguments):
    code = getattr(driver, name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        driver.cuGetErrorName(code, ctypes.byref(text))
        print(json.dumps({"failed": name, "code": code, "name": (text.value or b"").decode()}))
        sys.exit(0)
device, context, module, function = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
memory, title = ctypes.c_uint64(), ctypes.create_string_buffer(100)
call("cuInit", 0)
call("cuDeviceGet", ctypes.byref(device), int(sys.argv[1]))
call("cuDeviceGetName", title, 100, device)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
call("cuCtxSetCurrent", context)
call("cuModuleLoadData", ctypes.byref(module), PTX)
call("cuModuleGetFunction", ctypes.byref(function), module, b"work")
call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(COUNT * 4))
until = time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else 0)
values = [memory, ctypes.c_uint32(COUNT), ctypes.c_uint32(ROUNDS)]
arguments = (ctypes.c_void_p * 3)(*[ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in values])
factor, summand = 1, 0
for _ in range(ROUNDS):
    factor, summand = factor * 1664525 % 2**32, (summand * 1664525 + 1013904223) % 2**32
def compare(part):
    start = part * (COUNT - SLICE) // 7
    data = array.array("I", bytes(SLICE * 4))
    address = ctypes.c_void_p(data.buffer_info()[0])
    call("cuMemcpyDtoH_v2", address, ctypes.c_uint64(memory.value + start * 4), ctypes.c_size_t(SLICE * 4))
    return sum(data[i] != (factor * (start + i) + summand) & 0xFFFFFFFF for i in range(SLICE))
wrong, launches, seconds = 0, 0, 0.0
while not launches or time.monotonic() < until:
    began = time.monotonic()
    # Under load the card shall compute, not wait for Python: a hundred launches between two looks.
    for _ in range(100 if len(sys.argv) > 2 else 1):
        call("cuLaunchKernel", function, COUNT // BLOCK, 1, 1, BLOCK, 1, 1, 0, None, arguments, None)
    call("cuCtxSynchronize")
    seconds = time.monotonic() - began
    wrong += sum(compare(part) for part in range(8)) if not launches else compare(launches % 8)
    launches += 1
call("cuMemFree_v2", memory)
print(json.dumps({
    "device": title.value.decode(), "wrong": wrong, "seconds": round(seconds, 4), "launches": launches,
}))
"""


def compute(node: Node, index: int, seconds: float, bound: float) -> dict[str, Any]:
    """Return one GPU's answer: {device, wrong, seconds, launches}, {failed, code, name}, {hung} or {said}."""
    words = ["python3", "-I", "-c", WORKER, str(index)] + ([f"{seconds:g}"] if seconds else [])
    output = node.run(words, bound)
    if output.code is None:
        return {"hung": True}
    try:
        answer = json.loads(output.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"said": output.text[-500:] or f"exit code {output.code}"}
    return answer if isinstance(answer, dict) else {"said": output.stdout[:500]}


def everywhere(node: Node, seconds: float, bound: float) -> list[dict[str, Any]]:
    """Compute on all GPUs that this step can open, at once."""
    count = len(node.openable(node.devices()))
    with ThreadPoolExecutor(max(count, 1)) as pool:
        return list(pool.map(lambda index: compute(node, index, seconds, bound), range(count)))
