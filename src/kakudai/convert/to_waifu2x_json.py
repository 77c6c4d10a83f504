"""Our own waifu2x networks (vgg_7, upconv_7, upconv_7l, cunet, upcunet) as the JSON files of waifu2x.

What is written is read again and run beside the original before it is given out.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.card import parse, read_card
from kakudai.convert.folded import Folded, Step, fold_network
from kakudai.convert.graph import LUMA
from kakudai.convert.to_ncnn import check_same
from kakudai.convert.waifu2x_json import CASCADES, FULL, SCALE_KEY, STACKS, convert_json
from kakudai.errors import ModelInvalid

OFFSETS = {"cunet": 28, "upcunet": 36}
"""Output pixels that the two lose on each side; stacks lose one for every layer, twice where they enlarge."""

BORDER = 6
"""Pixels, times the scale, that are not compared: chroma of luma networks goes on otherwise outside the picture."""

HINT = "it can be exported to ONNX, and perhaps to ncnn"


def export_json(data: bytes, name: str) -> bytes:
    """Write a network in waifu2x's JSON.

    Args:
        data: The ONNX file.
        name: What to call it in errors.

    Raises:
        ModelInvalid: It is none of waifu2x's networks.
        RuntimeUnavailable: The package onnx is missing.
    """
    model = parse(data, name)
    card = read_card(model)
    variant, scale = json.loads(card.get("arguments", "{}")).get("variant"), int(card.get("scale", "1"))
    if card.get("network") != "waifu2x" or variant not in (*STACKS, *CASCADES):
        raise ModelInvalid(f"{name} is none of waifu2x's networks, which its JSON alone can hold", HINT)
    layers = [_entry(step) for step in _learnt(fold_network(model))]
    if not layers:
        raise ModelInvalid(f"{name} has no convolutions", HINT)
    factor = 2 if layers[-1]["class_name"].endswith(FULL) or variant == "upcunet" else 1
    layers[0]["model_config"] = {
        "arch_name": variant,
        "channels": layers[0]["nInputPlane"],
        "scale_factor": factor,
        "offset": OFFSETS.get(variant, factor * len(layers)),
        SCALE_KEY: scale,
    }
    written = json.dumps(layers, separators=(",", ":")).encode()
    check_same(model, convert_json(written, name).graph, name, inside=BORDER * scale)
    return written


def _learnt(folded: Folded) -> list[Step]:
    """Return the convolutions that were learnt: neither luma out of RGB nor the fixed enlargement of chroma."""
    luma = np.array(LUMA, np.float32).reshape(1, 3, 1, 1)
    learnt = []
    for step in folded.steps:
        if step.kind in ("Conv", "ConvTranspose"):
            weight = step.constant(1)
            is_luma = weight is not None and weight.shape == luma.shape and np.allclose(weight, luma)
            if step.attributes.get("group", 1) == 1 and not is_luma:
                learnt.append(step)
    return learnt


def _entry(step: Step) -> dict[str, Any]:
    weight, bias = step.constant(1), step.constant(2)
    if weight is None or weight.ndim != 4:
        raise ModelInvalid("a convolution has weights that are not constant", HINT)
    transposed = step.kind == "ConvTranspose"
    into, out = (weight.shape[0], weight.shape[1]) if transposed else (weight.shape[1], weight.shape[0])
    down, across = step.attributes.get("strides", [1, 1])
    top, left = step.attributes.get("pads", [0, 0, 0, 0])[:2]
    return {
        "class_name": f"nn.Spatial{FULL}" if transposed else "nn.SpatialConvolutionMM",
        "kW": int(weight.shape[3]), "kH": int(weight.shape[2]), "dW": int(across), "dH": int(down),
        "padW": int(left), "padH": int(top), "nInputPlane": int(into), "nOutputPlane": int(out),
        "bias": _numbers(np.zeros(out) if bias is None else bias), "weight": _numbers(weight),
    }  # fmt: skip


def _numbers(values: NDArray[Any]) -> Any:
    """Return nested lists of numbers that are short and still say every float32 exactly."""
    flat = [float(f"{value:.9g}") for value in values.ravel().tolist()]
    return np.array(flat).reshape(values.shape).tolist()
