"""What is in a model file, told by its content first and by its ending where that does not decide."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from kakudai.errors import ModelInvalid, ModelNotFound
from kakudai.models.catalogue import is_file, read_model_file

Kind: TypeAlias = Literal["onnx", "json", "ncnn", "torch", "safetensors"]

ACCEPTED = "accepted are .onnx, waifu2x .json, ncnn .param with .bin, .pth, .pt and .safetensors"

NCNN_MAGIC = b"7767517"
ZIP_MAGIC = b"PK\x03\x04"
PICKLE_MAGIC = b"\x80"
SEVEN_ZIP_AND_OTHERS = {b"7z\xbc\xaf": "a 7-Zip archive", b"\x1f\x8b": "a gzip archive", b"Rar!": "a RAR archive"}
PYTORCH_ENDINGS = frozenset({".pth", ".pt", ".ckpt", ".pkl"})
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Source:
    """A model file of anybody's, read once: what is checked is what is converted.

    Args:
        path: Where it lies.
        kind: What is in it.
        parts: The whole file; for ncnn the .param and the .bin.
    """

    path: Path
    kind: Kind
    parts: tuple[bytes, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of kind and content, in hexadecimal digits."""
        whole = hashlib.sha256(self.kind.encode())
        for part in self.parts:
            whole.update(hashlib.sha256(part).digest())
        return whole.hexdigest()

    @property
    def description(self) -> str:
        """Name and SHA-256 of each file, for the card."""
        files = _ncnn_pair(self.path) if self.kind == "ncnn" else (self.path,)
        pairs = zip(files, self.parts, strict=True)
        return "; ".join(f"{file.name} sha256:{hashlib.sha256(part).hexdigest()}" for file, part in pairs)


def read_source(path: Path) -> Source:
    """Read a model file, and its other half where there are two.

    Raises:
        ModelNotFound: There is no file, or one of ncnn's two is missing.
        ModelInvalid: It cannot be read, is too large, or is no model file that is known.
    """
    if path.suffix.lower() == ".bin" and is_file(path.with_suffix(".param")):
        path = path.with_suffix(".param")
    data = read_model_file(path)
    kind = sniff(data, path)
    if kind != "ncnn":
        return Source(path, kind, (data,))
    weights = _ncnn_pair(path)[1]
    if not is_file(weights):
        raise ModelNotFound(f"{path} has no weights beside it: there is no {weights.name}", "ncnn models are two files")
    return Source(path, kind, (data, read_model_file(weights)))


def sniff(data: bytes, path: Path) -> Kind:
    """Say what a model file is.

    Raises:
        ModelInvalid: It is nothing that can be converted; the message says what it looks like.
    """
    ending = path.suffix.lower()
    text = data[:4096].removeprefix(BOM).lstrip()
    if not data:
        raise ModelInvalid(f"{path} is empty", "fetch or export it again")
    if is_safetensors(data) or ending == ".safetensors":  # first, for its length may look like the mark of a pickle
        return "safetensors"
    if data.startswith(ZIP_MAGIC) or data.startswith(PICKLE_MAGIC):
        return "torch"
    if text.startswith(NCNN_MAGIC) or ending == ".param":
        return "ncnn"
    if ending == ".json" or (text.startswith((b"[", b"{")) and ending != ".onnx"):
        return "json"
    if ending in PYTORCH_ENDINGS:
        return "torch"
    if ending == ".bin":
        raise ModelInvalid(f"{path} has no .param file beside it", "ncnn models are two files of one name")
    if ending == ".onnx" or data[:1] == b"\x08":
        return "onnx"
    archive = next((name for magic, name in SEVEN_ZIP_AND_OTHERS.items() if data.startswith(magic)), None)
    if archive:
        raise ModelInvalid(f"{path} is {archive}, not a model", "unpack it and name the file inside")
    raise ModelInvalid(f"{path} is no model file that kakudai knows", ACCEPTED)


def _ncnn_pair(path: Path) -> tuple[Path, Path]:
    return path, path.with_suffix(".bin")


def is_safetensors(data: bytes) -> bool:
    """Say whether a file begins with the length of a JSON object and that object."""
    if len(data) < 10 or data[8:9] != b"{":
        return False
    return 2 <= int.from_bytes(data[:8], "little") <= len(data) - 8
