"""Whose weights are these? Names of tensors, told apart and translated to the networks in networks/.

| layout           | told by                               | becomes                  |
|------------------|---------------------------------------|--------------------------|
| kakudai          | metadata, or the recipe of a run      | the network named there  |
| nunif            | "name": "waifu2x...."                 | waifu2x                  |
| Compact          | body.0.weight, body.1.weight, ...     | srvgg                    |
| Real-ESRGAN      | conv_first, body.0.rdb1.conv1, ...    | rrdb                     |
| BSRGAN, RealSR   | conv_first, RRDB_trunk.0.RDB1, ...    | rrdb                     |
| ESRGAN           | model.0, model.1.sub.0.RDB1, ...      | rrdb                     |
| EDSR of BasicSR  | conv_first, body.0.conv1, ...         | edsr                     |
| EDSR of its authors | head.0, body.0.body.0, tail.0.0, ... | edsr                    |

Source: the code that wrote these files: xinntao/ESRGAN, xinntao/Real-ESRGAN, XPixelGroup/BasicSR, cszn/KAIR,
sanghyun-son/EDSR-PyTorch, nagadomi/nunif; each is described here by its names alone.
"""

import json
import re
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor

from kakudai.errors import ModelInvalid
from kakudai.networks import find_network
from kakudai.networks.edsr import DIV2K_MEAN

Tensors: TypeAlias = dict[str, Tensor]

GROUPS = (
    "params_ema",
    "params-ema",
    "average",
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "generator",
)
"""Dictionaries that files keep weights in, the averaged ones first."""

PREFIXES = ("module.", "netG.", "_orig_mod.")
"""What wrappers put in front of all names."""

LARGEST_ARGUMENT, LONGEST_ARGUMENT = 4096, 1000
LARGEST_SCALE = 16
EDSR_RANGE = 255.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Weights, under the names that one of our networks gives them.

    Args:
        network: Its file in networks/.
        arguments: What it is built with, `scale` and `in_channels` among them.
        tensors: Its state, complete.
        kind: What to call the file's layout.
        card: What the file itself says about name, version, licence.
        notes: What had to be assumed.
    """

    network: str
    arguments: dict[str, Any]
    tensors: Tensors
    kind: str
    card: dict[str, str] = field(default_factory=dict)
    notes: str = ""


def expected_shapes(network: str, arguments: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of a network's weights, without making them.

    Raises:
        ValueError: It cannot be built with those arguments, or would be endless.
    """
    for key, value in arguments.items():
        if isinstance(value, int | float) and not -LARGEST_ARGUMENT <= value <= LARGEST_ARGUMENT:
            raise ValueError(f"{key} is {value}")
        if isinstance(value, str) and len(value) > LONGEST_ARGUMENT:
            raise ValueError(f"{key} has {len(value)} characters")
    if arguments["scale"] not in range(1, LARGEST_SCALE + 1):
        raise ValueError(f"it enlarges {arguments['scale']} times, accepted are 1 to {LARGEST_SCALE}")
    module = find_network(network)
    try:
        with torch.device("meta"):
            state = getattr(module, module.__all__[0])(**arguments).state_dict()
    except Exception as error:  # whatever a constructor makes of nonsense
        raise ValueError((str(error).splitlines() or [type(error).__name__])[0][:200]) from error
    return {key: tuple(value.shape) for key, value in state.items()}


def unwrapped(tensors: Tensors) -> Tensors:
    """Return the weights without the dictionaries and prefixes that they are wrapped in."""
    for group in GROUPS:
        inside = {key.removeprefix(f"{group}/"): value for key, value in tensors.items() if key.startswith(f"{group}/")}
        if inside:
            tensors = inside
            break
    else:
        tops = {key.partition("/")[0] for key in tensors}
        if len(tops) == 1 and all("/" in key for key in tensors):
            tensors = {key.partition("/")[2]: value for key, value in tensors.items()}
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def recognise(tensors: Tensors, plain: dict[str, Any], name: str) -> Layout | None:
    """Tell which of our networks the weights are of; None where they are of none.

    Raises:
        ModelInvalid: The file says which, and that cannot be.
    """
    if isinstance(plain.get("network"), str) and "arguments" in plain:
        return _own(tensors, plain, name)
    if isinstance(plain.get("recipe/network"), str):
        return _own_run(tensors, plain, name)
    weights = unwrapped(tensors)
    if str(plain.get("name", "")).startswith("waifu2x."):
        return _nunif(weights, plain)
    for layout in (_compact, _rrdb, _edsr_basicsr, _edsr_original):
        found = layout(weights)
        if found is not None and found.arguments["in_channels"] in (1, 3):
            return found
    return None


def _own(tensors: Tensors, plain: dict[str, Any], name: str) -> Layout:
    """Our safetensors: what it is stands in the metadata, but for the channels of the picture."""
    try:
        arguments = json.loads(plain["arguments"])
        scale = int(plain["scale"])
        channels = {"luma": 1, "rgb": 3}.get(str(plain.get("color")), 0) or int(plain.get("in_channels", 0) or 0)
        if not isinstance(arguments, dict) or channels not in (0, 1, 3):
            raise TypeError("arguments are no object, or channels no picture")  # noqa: TRY301 - one message for all
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelInvalid(f"{name}: its metadata makes no sense: {error}", "export it again") from error
    given = _checked({**arguments, "scale": scale}, name)
    card = {key: str(plain[key]) for key in OWN_CARD if key in plain}
    return Layout(plain["network"], {**given, "in_channels": channels}, tensors, "kakudai", card)


OWN_CARD = ("version", "recipe", "data", "data_licences", "licence", "commit", "quality", "task")


def _own_run(tensors: Tensors, plain: dict[str, Any], name: str) -> Layout:
    """A checkpoint of `kakudai train`: averaged weights, and the recipe with all that is to know."""
    recipe = {key.removeprefix("recipe/"): value for key, value in plain.items() if key.startswith("recipe/")}
    arguments = {key.removeprefix("arguments/"): value for key, value in recipe.items() if key.startswith("arguments/")}
    channels = {"luma": 1, "rgb": 3}.get(str(recipe.get("color")), 0)
    scale = recipe.get("scale")
    given = _checked({**arguments, "scale": scale, "in_channels": channels}, name)
    average = {key.removeprefix("average/"): value for key, value in tensors.items() if key.startswith("average/")}
    card: dict[str, str] = {key: str(recipe[key]) for key in ("version", "licence") if key in recipe}
    card["data"] = f"{recipe.get('pack', 'unknown pictures')}; {plain.get('step', '?')} steps"
    return Layout(recipe["network"], given, average, "kakudai run", card)


def _checked(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """Refuse arguments that would build something endless."""
    for key, value in arguments.items():
        fine = isinstance(value, str | bool | float | int) or value is None
        if not fine or (isinstance(value, int | float) and not -LARGEST_ARGUMENT <= value <= LARGEST_ARGUMENT):
            raise ModelInvalid(f"{name}: its metadata makes no sense: {key} is {value!r}"[:300], "export it again")
    return arguments


def _nunif(weights: Tensors, plain: dict[str, Any]) -> Layout | None:
    """Nunif's files of the old networks: the same layers in the same order, under other names."""
    variant = str(plain["name"]).removeprefix("waifu2x.")
    scales = {"vgg_7": 1, "upconv_7": 2, "cunet": 1, "upcunet": 2}
    channels = plain.get("kwargs/in_channels", 3)
    if variant not in scales or channels not in (1, 3) or plain.get("kwargs/out_channels", channels) != channels:
        return None
    arguments: dict[str, Any] = {"variant": variant, "scale": scales[variant], "in_channels": channels}
    if variant in ("cunet", "upcunet"):
        arguments["clip_between"] = not plain.get("kwargs/no_clip", False)
    if variant == "upconv_7":
        arguments["last_bias"] = any(value.dim() == 1 for value in list(weights.values())[-1:])
    ours = expected_shapes("waifu2x", arguments)
    if len(ours) != len(weights):
        return None
    pairs = zip(ours.items(), weights.values(), strict=True)
    named = {key: value.reshape(wanted) for (key, wanted), value in pairs if value.numel() == prod(wanted)}
    return Layout("waifu2x", arguments, named, "nunif") if len(named) == len(ours) else None


def _compact(weights: Tensors) -> Layout | None:
    numbers = [re.fullmatch(r"body\.(\d+)\.(weight|bias)", key) for key in weights]
    if not weights or not all(numbers) or "body.0.weight" not in weights or "body.1.weight" not in weights:
        return None
    last = max(int(found[1]) for found in numbers if found)
    first, end = weights["body.0.weight"], weights.get(f"body.{last}.weight")
    if last % 2 or last < 4 or first.dim() != 4 or end is None or end.dim() != 4:
        return None
    channels = first.shape[1]
    scale = round((end.shape[0] / channels) ** 0.5)
    arguments = {
        "scale": scale, "in_channels": channels, "convolutions": last // 2 - 1, "channels": first.shape[0],
        "activation": "prelu",
    }  # fmt: skip
    return Layout("srvgg", arguments, weights, "SRVGGNetCompact")


DENSE = "body.{0}.dense.{1}.layers.{2}.{3}"
RRDB_NAMES = (
    (re.compile(r"conv_first\.(weight|bias)"), "head.{0}"),
    (re.compile(r"(?:body|RRDB_trunk)\.(\d+)\.(?:rdb|RDB)(\d)\.conv(\d)\.(weight|bias)"), DENSE),
    (re.compile(r"(?:conv_body|trunk_conv)\.(weight|bias)"), "body.{last}.{0}"),
    (re.compile(r"(?:conv_up|upconv)(\d)\.(weight|bias)"), "enlarge.{0}.{1}"),
    (re.compile(r"(?:conv_hr|HRconv)\.(weight|bias)"), "refine.{0}"),
    (re.compile(r"conv_last\.(weight|bias)"), "tail.{0}"),
)  # fmt: skip
"""Names of ESRGAN's later codes -> ours; what is inside blocks, and enlargements, count from 1 there."""


def _rrdb(weights: Tensors) -> Layout | None:
    weights = _modern_esrgan(weights)
    blocks = {
        int(found[1]) for key in weights if (found := re.match(r"(?:body|RRDB_trunk)\.(\d+)\.(?:rdb|RDB)1\.", key))
    }
    if not blocks or "conv_first.weight" not in weights or "conv_last.weight" not in weights:
        return None
    named: Tensors = {}
    for key, value in weights.items():
        place = next(((found, ours) for names, ours in RRDB_NAMES if (found := names.fullmatch(key))), None)
        if place is None:
            return None
        found, ours = place
        parts = list(found.groups())
        if ".dense." in ours:
            parts[1:3] = [str(int(part) - 1) for part in parts[1:3]]
        elif ours.startswith("enlarge"):
            parts[0] = str(int(parts[0]) - 1)
        named[ours.format(*parts, last=len(blocks))] = value
    return _rrdb_layout(named, len(blocks))


def _rrdb_layout(named: Tensors, blocks: int) -> Layout | None:
    """Read the arguments off the shapes."""
    head, tail, inner = named["head.weight"], named["tail.weight"], named.get("body.0.dense.0.layers.0.weight")
    if inner is None or head.dim() != 4 or tail.dim() != 4:
        return None
    channels = tail.shape[0]
    unshuffle = round((head.shape[1] / channels) ** 0.5)
    doublings = sum(key.startswith("enlarge.") and key.endswith(".weight") for key in named)
    scale = 2**doublings / unshuffle
    if channels * unshuffle**2 != head.shape[1] or unshuffle not in (1, 2, 4) or scale not in (1, 2, 4, 8):
        return None
    arguments = {
        "scale": int(scale), "in_channels": channels, "blocks": blocks, "channels": head.shape[0],
        "growth": inner.shape[0], "unshuffle": unshuffle,
    }  # fmt: skip
    return Layout("rrdb", arguments, named, "RRDBNet")


def _modern_esrgan(weights: Tensors) -> Tensors:
    """Translate the names of ESRGAN's first code, which numbers everything, to those of its second."""
    if "model.0.weight" not in weights or "model.1.sub.0.RDB1.conv1.0.weight" not in weights:
        return weights
    tops = sorted({int(found[1]) for key in weights if (found := re.fullmatch(r"model\.(\d+)\.weight", key))})
    outer = {number: f"upconv{index + 1}" for index, number in enumerate(tops[1:-2])}
    outer |= {tops[0]: "conv_first", tops[-2]: "HRconv", tops[-1]: "conv_last"}
    renamed: Tensors = {}
    for key, value in weights.items():
        if found := re.fullmatch(r"model\.(\d+)\.(weight|bias)", key):
            renamed[f"{outer[int(found[1])]}.{found[2]}"] = value
        elif found := re.fullmatch(r"model\.1\.sub\.(\d+)\.(RDB\d)\.(conv\d)\.0\.(weight|bias)", key):
            renamed[f"RRDB_trunk.{found[1]}.{found[2]}.{found[3]}.{found[4]}"] = value
        elif found := re.fullmatch(r"model\.1\.sub\.\d+\.(weight|bias)", key):
            renamed[f"trunk_conv.{found[1]}"] = value
        else:
            renamed[key] = value
    return renamed


EDSR_BASICSR = (
    (re.compile(r"conv_first\.(weight|bias)"), "head.{0}"),
    (re.compile(r"body\.(\d+)\.conv([12])\.(weight|bias)"), "body.{0}.layers.{1}.{2}"),
    (re.compile(r"conv_after_body\.(weight|bias)"), "body.{last}.{0}"),
    (re.compile(r"upsample\.(\d+)\.(weight|bias)"), "enlarge.{0}.{1}"),
    (re.compile(r"conv_last\.(weight|bias)"), "tail.{0}"),
)
EDSR_ORIGINAL = (
    (re.compile(r"head\.0\.(weight|bias)"), "head.{0}"),
    (re.compile(r"body\.(\d+)\.body\.([02])\.(weight|bias)"), "body.{0}.layers.{1}.{2}"),
    (re.compile(r"body\.\d+\.(weight|bias)"), "body.{last}.{0}"),
    (re.compile(r"tail\.0\.(\d+)\.(weight|bias)"), "enlarge.{0}.{1}"),
    (re.compile(r"tail\.1\.(weight|bias)"), "tail.{0}"),
)


def _edsr_basicsr(weights: Tensors) -> Layout | None:
    weights = {key: value for key, value in weights.items() if key != "mean"}
    named = _edsr_names(weights, EDSR_BASICSR, {"1": "0", "2": "2"}, r"body\.(\d+)\.conv1\.weight")
    return None if named is None else _edsr_layout(named, EDSR_RANGE, "EDSR of BasicSR")


def _edsr_original(weights: Tensors) -> Layout | None:
    if "sub_mean.bias" not in weights:
        return None
    offset = weights["sub_mean.bias"].float()
    identity = torch.eye(3)[..., None, None]
    plain = weights.get("sub_mean.weight", identity).float()
    largest = float(-offset[0] / DIV2K_MEAN[0]) if offset.shape == (3,) else 0.0
    same = torch.allclose(-offset / max(largest, 1e-6), torch.tensor(DIV2K_MEAN), atol=1e-3) if largest else False
    if not same or plain.shape != identity.shape or not torch.allclose(plain, identity, atol=1e-4):
        return None
    inner = {key: value for key, value in weights.items() if not key.startswith(("sub_mean.", "add_mean."))}
    named = _edsr_names(inner, EDSR_ORIGINAL, {"0": "0", "2": "2"}, r"body\.(\d+)\.body\.0\.weight")
    return None if named is None else _edsr_layout(named, float(round(largest)), "EDSR of its authors")


def _edsr_names(weights: Tensors, names: Any, layers: dict[str, str], block: str) -> Tensors | None:
    """Translate all names, or none."""
    blocks = {int(found[1]) for key in weights if (found := re.fullmatch(block, key))}
    if not blocks:
        return None
    named: Tensors = {}
    for key, value in weights.items():
        place = next(((found, ours) for pattern, ours in names if (found := pattern.fullmatch(key))), None)
        if place is None:
            return None
        found, ours = place
        parts = list(found.groups())
        if ".layers." in ours:
            parts[1] = layers[parts[1]]
        named[ours.format(*parts, last=len(blocks))] = value
    return named if {"head.weight", "tail.weight"} <= named.keys() else None


def _edsr_layout(named: Tensors, largest: float, kind: str) -> Layout | None:
    """Read the arguments off the shapes; take the network from pixels of 0 to `largest` to pixels of 0 to 1.

    A network of convolutions and ReLUs gives a 255th of the output for a 255th of the input if its biases are a 255th
    of what they were.
    """
    head = named["head.weight"]
    if head.dim() != 4 or head.shape[1] != 3:
        return None
    channels = head.shape[0]
    growths = [value.shape[0] // channels for key, value in named.items() if re.fullmatch(r"enlarge\.\d+\.weight", key)]
    scale = {(): 1, (4,): 2, (9,): 3, (4, 4): 4}.get(tuple(growths))
    if scale is None:
        return None
    residual = 0.1 if channels >= 256 else 1.0
    blocks = max(int(found[1]) for key in named if (found := re.match(r"body\.(\d+)\.layers", key))) + 1
    scaled = {key: value / largest if key.endswith(".bias") else value for key, value in named.items()}
    arguments = {"scale": scale, "in_channels": 3, "blocks": blocks, "channels": channels, "residual_scale": residual}
    notes = "" if residual == 1 else f"blocks add {residual:g} of their result, as the authors' large network does"
    return Layout("edsr", arguments, scaled, kind, notes=notes)
