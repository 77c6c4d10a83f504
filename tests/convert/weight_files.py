"""Weights as other people's code names them, made of our networks; and files that mean harm."""

import io
import os
import re
import zipfile
from typing import Any

import torch
from torch import Tensor, nn

from kakudai.networks.edsr import DIV2K_MEAN

Tensors = dict[str, Tensor]


def pickled(value: Any, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def renamed(network: nn.Module, rules: list[tuple[str, Any]]) -> Tensors:
    """Apply to every name the one rule that fits it."""
    result = {}
    for key, value in network.state_dict().items():
        ((found, new),) = [(found, new) for old, new in rules if (found := re.fullmatch(old, key))]
        result[found.expand(new) if isinstance(new, str) else new(found)] = value
    return result


def compact(network: nn.Module, group: str) -> Tensors:
    """Our names are theirs; files wrap them in a dictionary, whose name is put in front when it is read."""
    return {f"{group}/{key}" if group else key: value for key, value in network.state_dict().items()}


def esrgan(network: nn.Module, naming: str) -> Tensors:
    blocks, ups = len(network.body) - 1, len(network.enlarge)

    def dense(found: re.Match[str]) -> str:
        block, dense_block, layer, kind = found[1], int(found[2]) + 1, int(found[3]) + 1, found[4]
        return {
            "original": f"model.1.sub.{block}.RDB{dense_block}.conv{layer}.0.{kind}",
            "bsrgan": f"RRDB_trunk.{block}.RDB{dense_block}.conv{layer}.{kind}",
            "real": f"body.{block}.rdb{dense_block}.conv{layer}.{kind}",
        }[naming]

    def enlargement(found: re.Match[str]) -> str:
        number = int(found[1]) + 1
        return {
            "original": f"model.{3 * number}.{found[2]}",
            "bsrgan": f"upconv{number}.{found[2]}",
            "real": f"conv_up{number}.{found[2]}",
        }[naming]

    outer = {
        "original": ("model.0", f"model.1.sub.{blocks}", f"model.{3 * ups + 2}", f"model.{3 * ups + 4}"),
        "bsrgan": ("conv_first", "trunk_conv", "HRconv", "conv_last"),
        "real": ("conv_first", "conv_body", "conv_hr", "conv_last"),
    }[naming]
    return renamed(network, [
        (r"head\.(\w+)", rf"{outer[0]}.\1"),
        (r"body\.(\d+)\.dense\.(\d)\.layers\.(\d)\.(\w+)", dense),
        (r"body\.\d+\.(\w+)", rf"{outer[1]}.\1"),
        (r"enlarge\.(\d)\.(\w+)", enlargement),
        (r"refine\.(\w+)", rf"{outer[2]}.\1"),
        (r"tail\.(\w+)", rf"{outer[3]}.\1"),
    ])  # fmt: skip


def edsr_of_basicsr(network: nn.Module) -> Tensors:
    named = renamed(network, [
        (r"head\.(\w+)", r"conv_first.\1"),
        (r"body\.(\d+)\.layers\.(\d)\.(\w+)", lambda found: f"body.{found[1]}.conv{int(found[2]) // 2 + 1}.{found[3]}"),
        (r"body\.\d+\.(\w+)", r"conv_after_body.\1"),
        (r"enlarge\.(\d)\.(\w+)", r"upsample.\1.\2"),
        (r"tail\.(\w+)", r"conv_last.\1"),
    ])  # fmt: skip
    return {key: 255 * value if key.endswith("bias") else value for key, value in named.items()}


def edsr_original(network: nn.Module, largest: int = 255) -> Tensors:
    named = renamed(network, [
        (r"head\.(\w+)", r"head.0.\1"),
        (r"body\.(\d+)\.layers\.(\d)\.(\w+)", r"body.\1.body.\2.\3"),
        (r"body\.(\d+)\.(\w+)", r"body.\1.\2"),
        (r"enlarge\.(\d)\.(\w+)", r"tail.0.\1.\2"),
        (r"tail\.(\w+)", r"tail.1.\1"),
    ])  # fmt: skip
    scaled = {key: largest * value if key.endswith("bias") else value for key, value in named.items()}
    mean, identity = largest * torch.tensor(DIV2K_MEAN), torch.eye(3)[..., None, None]
    around = {"sub_mean.weight": identity, "sub_mean.bias": -mean, "add_mean.weight": identity.clone()}
    around["add_mean.bias"] = mean
    return {**around, **scaled}


def nunif_named(network: nn.Module) -> Tensors:
    return {f"state_dict/layer{number}": value for number, value in enumerate(network.state_dict().values())}


class RunsCode:
    """A pickle that makes a file when it is loaded without care."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def squeezed(data: bytes) -> bytes:
    """The same archive with compressed entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    return buffer.getvalue()
