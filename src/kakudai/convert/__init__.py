"""Other people's models, made into ours: waifu2x JSON, ncnn, PyTorch and ONNX files.

Every converter gives a `Converted` (convert/card.py): an ONNX graph in the form that DESIGN describes, and its card.
Nothing of a file is executed, and nothing beside it is opened but ncnn's second half. Heavy packages are imported by
the converter that needs them.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kakudai.convert.probe import OpenNetwork
from kakudai.convert.source import Source, read_source
from kakudai.errors import RuntimeUnavailable

__all__ = ["OpenNetwork", "Source", "convert_file", "convert_source", "generation", "read_source", "relabel"]


def convert_file(path: Path, *, open_network: OpenNetwork) -> bytes:
    """Convert a model file of any known kind, see `convert_source`.

    Raises:
        ModelNotFound: There is no such file.
    """
    return convert_source(read_source(path), open_network=open_network)


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
    from kakudai.convert.torch_file import convert_torch

    return convert_torch(first, name, open_network)


def _text(source: Source) -> str:
    from kakudai.errors import ModelInvalid

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

    model = onnx.load_from_string(data)
    card = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, card | {f"kakudai.{key}": value for key, value in changes.items()})
    return bytes(model.SerializeToString())


def generation() -> str:
    """Return a hash of the converters and of the networks that they fill.

    What was converted by other code than this is not taken from the cache.
    """
    here = Path(__file__).parent
    whole = hashlib.sha256()
    for file in sorted([*here.glob("*.py"), *(here.parent / "networks").glob("*.py")]):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]
