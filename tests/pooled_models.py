"""Small networks with squeeze and excitation, built as converters build them, for the engine and the converters."""

import numpy as np

from kakudai.convert.card import Converted, finish
from kakudai.convert.graph import GraphBuilder

CARD = {"name": "pooled", "scale": "2", "halo": "none", "multiple": "4", "border": "edge"}


def valley(*, border: str = "edge", padded: bool = False, one_way: bool = False, seed: int = 0) -> bytes:
    """A network of waifu2x's kind with two averages, one inside the other's reach: down by 2, up by 2, enlarged by 2.

    Args:
        padded: Convolutions are padded with zeros, as in most networks, instead of the picture by its edge pixels.
        one_way: Everything sees the picture as it was continued, as in waifu2x's cunet.
    """
    rng = np.random.default_rng(seed)
    build = GraphBuilder()

    def weights(out: int, into: int, side: int) -> np.ndarray:
        gain = 1.2 / (into * side**2) ** 0.5
        return (gain * rng.standard_normal((out, into, side, side))).astype(np.float32)

    def excited(x: str, channels: int) -> str:
        mean = build.global_average_pool(x)
        squeezed = build.relu(build.conv(mean, 3 * weights(4, channels, 1)))
        return build.multiply(x, build.sigmoid(build.conv(squeezed, 3 * weights(channels, 4, 1))))

    pad = 1 if padded else 0
    x = build.input if padded else build.pad_edge(build.input, 14)
    first = build.leaky_relu(build.conv(x, weights(8, 3, 3), pad=pad), 0.1)  # 14 - 1
    down = build.leaky_relu(build.conv(first, weights(8, 8, 2), stride=2), 0.1)
    down = excited(build.leaky_relu(build.conv(down, weights(8, 8, 3), pad=pad), 0.1), 8)
    up = build.leaky_relu(build.transposed_conv(down, weights(8, 8, 2), stride=2), 0.1)
    up = build.add(up, first if padded else build.crop(first, 2))
    up = excited(build.leaky_relu(build.conv(up, weights(8, 8, 3), pad=pad), 0.1), 8)
    detail = build.conv(up, 0.05 * weights(12, 8, 3), pad=pad)
    detail = build.depth_to_space(detail, 2)
    anchor = build.crop(build.resize(x, 2), 28) if one_way else build.resize(build.input, 2)
    y = build.add(anchor, detail if padded else build.crop(detail, 18))
    return finish(Converted(build.model(y), {**CARD, "border": border}))
