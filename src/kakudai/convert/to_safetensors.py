"""The weights of one of our ONNX files, as safetensors that training starts from and that converts back to the same."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert import probe
from kakudai.convert.card import finish, parse, read_card
from kakudai.convert.packages import needed
from kakudai.errors import ModelInvalid
from kakudai.networks import network_names

if TYPE_CHECKING:
    import onnx

SAME = 1e-4
CARD = ("version", "recipe", "data", "data_licences", "licence", "commit", "quality", "task")


def export_safetensors(data: bytes, name: str, open_network: probe.OpenNetwork) -> bytes:
    """Write the weights of a network under the names that its file in networks/ gives them.

    The result is converted back and compared before it is returned.

    Args:
        data: An ONNX file of ours.
        name: What to call it in errors.
        open_network: Runs ONNX files.

    Raises:
        ModelInvalid: It is of no network in networks/, or its weights were merged when it was written.
        RuntimeUnavailable: torch or safetensors is not installed.
    """
    from kakudai.convert.unpickle import need_torch

    need_torch()
    model = parse(data, name)
    card = read_card(model)
    if card.get("network") not in network_names():
        hint = "accepted are models of the networks that `kakudai networks` lists; --to onnx always works"
        raise ModelInvalid(f"{name} is of the network {card.get('network')!r}, which kakudai does not have", hint)
    given = json.loads(card["arguments"])
    for arguments in (given, {**given, "branches": False}):
        answer = _written(model, card, arguments)
        if answer is not None and _same(data, answer, name, open_network):
            return answer
    hint = "what kakudai has trained is exported from its run; --to onnx always works"
    raise ModelInvalid(f"{name} does not have all weights of its network apart: some were merged or left out", hint)


def _written(model: "onnx.ModelProto", card: dict[str, str], arguments: dict[str, Any]) -> bytes | None:
    """Write the weights for one guess of the arguments; None where they do not fit."""
    from kakudai.convert.torch_layouts import expected_shapes

    channels = 1 if card["color"] == "luma" else 3
    try:
        wanted = expected_shapes(card["network"], {**arguments, "scale": int(card["scale"]), "in_channels": channels})
    except ValueError:
        return None
    tensors = _matched(_weights(model), wanted)
    if tensors is None:
        return None
    metadata = {
        "network": card["network"], "arguments": json.dumps(arguments), "scale": card["scale"], "color": card["color"],
        **{key: card[key] for key in CARD if key in card},
    }  # fmt: skip
    answer: bytes = needed("safetensors.numpy").save(tensors, metadata)
    return answer


def _weights(model: "onnx.ModelProto") -> dict[str, NDArray[Any]]:
    """Return the learnt numbers of a graph in the order in which its operators use them."""
    onnx = needed("onnx")
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    order = dict.fromkeys(name for node in model.graph.node for name in node.input if name in stored)
    arrays = {name: onnx.numpy_helper.to_array(stored[name]) for name in order}
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}


def _matched(found: dict[str, NDArray[Any]], wanted: dict[str, tuple[int, ...]]) -> dict[str, NDArray[Any]] | None:
    """Give every weight its name: the one that it has, or the next of the right size where names were lost.

    Numbers that are left over are constants where nothing was lost; else something else was.
    """
    named = {name.removeprefix("network."): array for name, array in found.items()}
    rest = [] if wanted.keys() <= named.keys() else [array for name, array in named.items() if name not in wanted]
    result: dict[str, NDArray[Any]] = {}
    for name, shape in wanted.items():
        array = named.get(name)
        if array is None:
            place = next((k for k, other in enumerate(rest) if other.size == int(np.prod(shape))), None)
            if place is None:
                return None
            array = rest.pop(place)
        if array.size != int(np.prod(shape)):
            return None
        result[name] = np.ascontiguousarray(array.reshape(shape), np.float32)
    return None if rest else result


def _same(data: bytes, answer: bytes, name: str, open_network: probe.OpenNetwork) -> bool:
    """Convert weights back and compare what both networks make of a picture."""
    from kakudai.convert.torch_file import convert_torch

    x = probe.picture(32, 48)[None]
    planes = needed("onnx").load_from_string(data).graph.input[0].type.tensor_type.shape.dim[1].dim_value - 3
    x = np.concatenate([x, np.full_like(x[:, :planes], 0.5)], axis=1)
    before, after = (open_network(file)(x) for file in (data, finish(convert_torch(answer, name, open_network))))
    return before.shape == after.shape and float(np.abs(before - after).max()) < SAME
