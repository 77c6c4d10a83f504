"""The roofs: how many multiply-adds per second this machine does when nothing but arithmetic is asked of it.

A roof is measured, not computed: the fastest of all installed runtimes at one large matrix product, with the same
threads and in the same round as what is measured against it. It is what good code reaches, four fifths to nine tenths
of what the processor's data sheet allows, for even a matrix product has to load and store. A network can therefore come
out above it: convolutions by Winograd's method do fewer multiplications than are counted here.
"""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from kakudai.bench.bare import Bare
from kakudai.bench.product import matrix_product
from kakudai.bench.timing import Case, Facts
from kakudai.engine.machine import adds_exactly, has_matrix_unit
from kakudai.engine.runtimes import RuntimeName, open_session
from kakudai.errors import KakudaiError
from kakudai.models import Model

NAME = "matrix product"

REPEATED = 4
"""Products of each thread in one run: as many for all of them, or some would wait for others."""


def roof_cases(runtimes: Sequence[RuntimeName], threads: Sequence[int], side: int, stack: ExitStack) -> list[Case]:
    """Prepare all products, in runtimes that start; those that do not are named where networks are tried in them.

    ncnn is left out: it has no general matrix product on the way of its networks.
    """
    x = np.random.default_rng(1).random((1, 1, side, side), np.float32)
    short: list[RuntimeName] = ["openvino"] if "openvino" in runtimes else []
    taken: dict[str, list[RuntimeName]] = {"float32": ["onnxruntime", *short]}
    taken |= {"bfloat16": short} if has_matrix_unit() else {}
    taken |= {"int8": ["onnxruntime", *short]} if adds_exactly() else {}
    cases = []
    for precision, names in taken.items():
        half = precision == "bfloat16"
        model = Model(NAME, 1, 0, 1, matrix_product(side, "float32" if half else precision), {})
        for runtime in names:
            for count in threads:
                try:
                    session = open_session(model, runtime=runtime, threads=count, numbers=precision)
                except KakudaiError:
                    continue
                inputs = [x] * (REPEATED * count)
                facts = Facts(
                    "roof", NAME, runtime, precision, count, size=f"{side}x{side}", macs=len(inputs) * side**3
                )
                cases.append(Case(facts, Bare(session, inputs, stack)))
    return cases
