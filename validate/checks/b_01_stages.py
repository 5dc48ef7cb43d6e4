"""B-01: an image is built in two stages: compiled in one, run in the other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="B-01",
    title="build in two stages",
    tier="deep",
    step="sample",
    cause="the build has no proxy, or the two images do not fit together",
    fix="docker build --build-arg https_proxy=…; the same CUDA version in both of validate_build_images",
    after=("D-01",),
    needs=("nvidia", "network"),
    seconds=900,
)


# n-body's inner loop is more than is needed to see that what was compiled computes.
SOURCE = r"""
#include <stdio.h>
__global__ void square(float *x) { x[threadIdx.x] *= x[threadIdx.x]; }
int main() {
    float host[256], *card, sum = 0;
    for (int i = 0; i < 256; i++) host[i] = i;
    if (cudaMalloc(&card, sizeof host)) return 2;
    cudaMemcpy(card, host, sizeof host, cudaMemcpyHostToDevice);
    square<<<1, 256>>>(card);
    if (cudaMemcpy(host, card, sizeof host, cudaMemcpyDeviceToHost)) return 3;
    for (int i = 0; i < 256; i++) sum += host[i];
    printf("sum=%.0f\n", sum);
}
"""
RIGHT = "sum=5559680"
RECIPE = """FROM {compile} AS compile
COPY square.cu /square.cu
RUN nvcc -o /square /square.cu
FROM {run}
COPY --from=compile /square /square
"""


def observe(node: Node) -> Any:
    """Build, run, look for the compiler, and weigh both; the image stays for B-03."""
    images = [str(name).replace("#", "/", 1) for name in node.settings.get("build_images") or ()]
    if len(images) != 2 or not node.which("docker"):
        return {"images": images}
    tag, place = f"slipway-validate:{os.environ.get('SLURM_JOB_ID', '0')}", Path(node.scratch, "b01")
    place.mkdir(exist_ok=True)
    for name, text in (("square.cu", SOURCE), ("Dockerfile", RECIPE.format(compile=images[0], run=images[1]))):
        (place / name).write_text(text, encoding="utf-8")
    built = node.run(["docker", "build", "--tag", tag, str(place)], 700)
    ran = node.run(["docker", "run", "--rm", "--gpus=all", tag, "/square"], 60)
    compiler = node.run(["docker", "run", "--rm", tag, "sh", "-c", "command -v nvcc"], 30)
    size = {
        name: node.run(["docker", "image", "inspect", "--format={{.Size}}", name], 10).stdout.strip()
        for name in (tag, images[0])
    }
    return {"images": images, "built": built.record(), "ran": ran.record(), "compiler": compiler.stdout.strip(),
            "sizes": [size[tag], size[images[0]]]}  # fmt: skip


def judge(observed: Any, context: Context) -> Finding:
    """It computes, lacks the compiler, and is smaller than what built it."""
    if "docker" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name docker")
    if len(observed["images"]) != 2:
        return skipped("validate_build_images names none")
    if observed["built"]["code"] != 0:
        return failed(observed["built"]["stderr"].strip()[-400:] or "no end in time", "a build that ends well")
    if not re.search(rf"^{RIGHT}$", observed["ran"]["stdout"], re.MULTILINE):
        return failed((observed["ran"]["stdout"] + observed["ran"]["stderr"]).strip()[-300:] or "nothing", RIGHT)
    if observed["compiler"]:
        return failed(f"{observed['compiler']} is in the final image", "no compiler in it")
    final, whole = (int(text) if text.isdigit() else 0 for text in observed["sizes"])
    if not 0 < final < whole:
        return failed(f"{final} bytes of {whole}", "smaller than the image that compiles")
    return passed(f"{final / 1e9:.1f} of {whole / 1e9:.1f} GB")
