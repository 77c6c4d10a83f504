"""Other people's models, made into ours: waifu2x JSON, ncnn, PyTorch and ONNX files.

Every converter gives a `Converted` (convert/card.py): an ONNX graph in the form that DESIGN describes, and its card.
Nothing of a file is executed, and nothing beside it is opened but ncnn's second half. Heavy packages are imported by
the converter that needs them.
"""

import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kakudai.convert.naming import stated_scale
from kakudai.convert.probe import OpenNetwork
from kakudai.convert.source import Source, read_source
from kakudai.errors import ModelInvalid, RuntimeUnavailable

__all__ = ["OpenNetwork", "Source", "cache_key", "convert_source", "read_source", "relabel"]


def convert_source(source: Source, *, open_network: OpenNetwork) -> bytes:
    """Convert a model file to the ONNX file of DESIGN, with its card inside.

    Raises:
        ModelInvalid: It is damaged, hostile, or a network that cannot be converted; the message says which.
        RuntimeUnavailable: A package that this kind of file needs is not installed.
    """
    if find_spec("onnx") is None:
        raise RuntimeUnavailable("onnx is not installed, so model files cannot be converted", HINT)
    from kakudai.convert.card import finish

    converted = _convert(source, open_network)
    converted.card["source"] = source.description
    return finish(converted)


HINT = "pip install 'kakudai[convert]'"


def _convert(source: Source, open_network: OpenNetwork) -> Any:
    """Call the converter of a kind of file; it is imported only now."""
    name, first = source.path.stem, source.parts[0]
    if source.kind == "json":
        from kakudai.convert.waifu2x_json import convert_json

        return convert_json(first, name)
    if source.kind == "ncnn":
        from kakudai.convert.ncnn_file import convert_ncnn

        return convert_ncnn(_text(source), source.parts[1], name)
    if source.kind == "onnx":
        from kakudai.convert.foreign_onnx import convert_onnx

        return convert_onnx(first, name, open_network)
    from kakudai.convert.unpickle import need_torch

    need_torch()  # before the converter is imported, which imports torch
    from kakudai.convert.torch_file import convert_torch

    return convert_torch(first, name, open_network)


def _text(source: Source) -> str:
    try:
        return source.parts[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelInvalid(
            f"{source.path} is not text, as .param files are", "binary .param files are not read"
        ) from error


def relabel(data: bytes, changes: dict[str, str]) -> bytes:
    """Change entries of the card of one of our ONNX files.

    Raises:
        RuntimeUnavailable: The package onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise RuntimeUnavailable("onnx is not installed, so the card cannot be changed", HINT)
    import onnx

    from kakudai.convert.card import parse

    model = parse(data, "the network")
    card = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, card | {f"kakudai.{key}": value for key, value in changes.items()})
    return bytes(model.SerializeToString())


def cache_key(source: Source) -> str:
    """Return what a conversion depends on: the content of the file, what its name promises, and who converts."""
    return f"{generation()} {source.digest} {stated_scale(source.path.stem)}"


def generation() -> str:
    """Return a hash of all code that takes part in conversions, and of the versions of the packages that do.

    What was converted by other code than this is not taken from the cache.
    """
    ours = Path(__file__).parents[1]
    whole = hashlib.sha256(" ".join(map(_version, ("kakudai", *PACKAGES))).encode())
    folders = (ours / "convert", ours / "networks", ours / "models", ours / "image")
    for file in sorted(file for folder in folders for file in folder.glob("*.py")):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


PACKAGES = ("onnx", "torch", "spandrel")
"""They decide what a conversion is, and an update of theirs may mend it."""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
