"""Reading PyTorch's weight files, which may have been made to harm whoever opens them.

Everything that can be checked before a byte is decoded is checked first: archives may hold plain entries only, whose
sizes add up to no more than the file. Then torch loads tensors and plain values (`weights_only`), in another process
whose memory is limited, and which may not write files. That is a fence and no sandbox: torch before 2.10 had faults in
it, so nothing older is used.

Source: CVE-2025-32434 and CVE-2026-24747 (torch.load), https://docs.pytorch.org/docs/stable/notes/serialization.html.
"""

import io
import json
import re
import struct
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from kakudai.convert.source import PICKLE_MAGIC, ZIP_MAGIC, is_safetensors
from kakudai.errors import ModelInvalid, RuntimeUnavailable

OLDEST_TORCH = (2, 10)
MAX_HEADER = 1 << 20
"""Of a safetensors file: the largest networks have a tenth of this."""

MAX_PICKLE = 64 << 20
MAX_ENTRIES = 100_000
MAX_TENSORS = 100_000
MEMORY = 16 << 30
"""Address space of the reading process. torch alone reserves several GiB."""

SECONDS = 120
DEPTH = 4
"""How far inside dictionaries weights are looked for."""


def read_tensors(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a .pth, .pt, .ckpt or .safetensors file.

    Returns:
        The tensors by their keys, those of inner dictionaries joined by "/"; and the plain values beside them.

    Raises:
        ModelInvalid: It is damaged, hostile, or holds something else.
        RuntimeUnavailable: torch or safetensors is not installed, or torch is too old.
    """
    need_torch()
    pickled = data.startswith((ZIP_MAGIC, PICKLE_MAGIC)) and not is_safetensors(data)
    if data.startswith(ZIP_MAGIC):
        check_archive(data, name)
    if pickled:
        data = _read_apart(data, name)
    check_header(data, name, MAX_PICKLE if pickled else MAX_HEADER)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(data)
    except (SafetensorError, ValueError, RuntimeError, KeyError, OverflowError, MemoryError) as error:
        raise ModelInvalid(f"{name} is damaged: {_first_line(error)}", "fetch it again") from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    plain: dict[str, Any] = dict(header.get("__metadata__") or {})
    if not pickled:
        return tensors, plain
    answer = json.loads(plain[FROM_PICKLE])
    return {key: tensors[key] for key in answer["order"]}, answer["plain"]


def need_torch() -> None:
    """Make sure that a torch is there which can be trusted with files of others.

    Raises:
        RuntimeUnavailable: There is none, or it is too old.
    """
    for package in ("torch", "safetensors", "onnx"):
        if find_spec(package) is None:
            raise RuntimeUnavailable(
                f"{package} is not installed, and PyTorch files need it", "pip install torch 'kakudai[convert]'"
            )
    version = tuple(int(part) for part in re.findall(r"\d+", metadata.version("torch"))[:2])
    if version < OLDEST_TORCH:
        wanted = ".".join(map(str, OLDEST_TORCH))
        raise RuntimeUnavailable(
            f"torch {metadata.version('torch')} has faults that hostile files can use", f"pip install 'torch>={wanted}'"
        )


def check_archive(data: bytes, name: str) -> None:
    """Refuse an archive that would grow when it is read.

    Raises:
        ModelInvalid: It is damaged, compressed, a program, or its entries are larger than the file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error, IndexError) as error:
        raise ModelInvalid(f"{name} is a damaged archive: {_first_line(error)}", "fetch it again") from error
    if len(entries) > MAX_ENTRIES:
        raise ModelInvalid(f"{name} has {len(entries)} entries", "no network has so many")
    names = [entry.filename.partition("/")[2] or entry.filename for entry in entries]
    if "constants.pkl" in names or any(entry.startswith("code/") for entry in names):  # torch compresses their code
        raise ModelInvalid(f"{name} is a TorchScript program, and programs are not run", "export its network to ONNX")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise ModelInvalid(f"{name} is a compressed archive, which torch never writes", "unpack it, or do not trust it")
    if sum(entry.file_size for entry in entries) > len(data):
        raise ModelInvalid(f"{name} claims to hold more than it does", "do not trust it")
    if "data.pkl" not in names:
        raise ModelInvalid(f"{name} is an archive, and no weights of PyTorch", "unpack it and name the file inside")
    if any(entry.file_size > MAX_PICKLE for entry in entries if entry.filename.endswith(".pkl")):
        raise ModelInvalid(f"{name} has a table of contents of more than {MAX_PICKLE >> 20} MiB", "do not trust it")


def check_header(data: bytes, name: str, largest: int = MAX_HEADER) -> None:
    """Refuse a safetensors file whose header is larger than any network needs.

    Raises:
        ModelInvalid: It is, or it is not even whole.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length > len(data) - 8:
        raise ModelInvalid(f"{name} is neither PyTorch's nor a safetensors file, or is truncated", "fetch it again")
    if length > largest:
        raise ModelInvalid(f"{name} has a header of {length} bytes", f"accepted are up to {largest}")


FROM_PICKLE = "kakudai.pickle"
"""The metadata entry in which the reading process hands over what safetensors has no place for."""


def _read_apart(data: bytes, name: str) -> bytes:
    """Let another process load a pickle; return it as a safetensors file."""
    words = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"]
    try:
        result = subprocess.run(words, input=data, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelInvalid(f"{name} was not read within {SECONDS} seconds", "do not trust it") from error
    except OSError as error:
        raise RuntimeUnavailable(
            f"{name} is read by another process, which does not start: {_first_line(error)}",
            "use its .safetensors, if there is one",
        ) from error
    if result.returncode == 0:
        return result.stdout
    said = result.stderr.decode(errors="replace").strip().splitlines()
    reason = said[-1][:300] if said and result.returncode == REFUSED else f"the reader ended with {result.returncode}"
    raise ModelInvalid(f"{name} cannot be read: {reason}", "only tensors are read, never code; try its .safetensors")


REFUSED = 3


def serve() -> None:
    """Read a pickle from standard input and write its tensors to standard output: the whole of the other process."""
    limit_this_process()
    try:
        answer = to_safetensors(sys.stdin.buffer.read())
    except Unreadable as error:
        sys.stderr.write(str(error))
        sys.exit(REFUSED)
    except MemoryError:
        sys.stderr.write("it needs more memory than any network")
        sys.exit(REFUSED)
    sys.stdout.buffer.write(answer)


def limit_this_process() -> None:
    """Take from this process what reading a file does not need, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    import torch

    torch.set_num_threads(1)
    for kind, limit in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901
        resource.setrlimit(kind, (limit, limit))


class Unreadable(Exception):
    """What the reading process says on its standard error."""


def to_safetensors(data: bytes) -> bytes:
    """Load a pickle of tensors and plain values; return them as a safetensors file.

    Raises:
        Unreadable: It holds anything else, or is damaged.
    """
    import torch
    from safetensors.torch import save

    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged pickle makes of a reader
        raise Unreadable(_why(error)) from error
    tensors: dict[str, torch.Tensor] = {}
    plain: dict[str, Any] = {}
    _collect(loaded, "", tensors, plain)
    if not tensors:
        raise Unreadable("there are no tensors in it")
    total = 0
    for key, tensor in tensors.items():
        stored = tensor.untyped_storage().nbytes() if tensor.layout == torch.strided else 0
        total += tensor.numel() * tensor.element_size()
        if tensor.numel() * tensor.element_size() > stored or total > 2 * len(data):
            raise Unreadable(f"{key!r} claims more numbers than the file holds")
    whole = {key: tensor.detach().clone(memory_format=torch.contiguous_format) for key, tensor in tensors.items()}
    return save(whole, {FROM_PICKLE: json.dumps({"plain": plain, "order": list(whole)})})


def _collect(value: Any, key: str, tensors: dict[str, Any], plain: dict[str, Any]) -> None:
    """Sort what is in dictionaries; lists and deeper things are left out."""
    import torch

    if isinstance(value, torch.Tensor):
        if len(tensors) >= MAX_TENSORS:
            raise Unreadable(f"it has more than {MAX_TENSORS} tensors")
        tensors[key or "tensor"] = value
    elif isinstance(value, str | int | float | bool | None):
        if len(str(value)) <= 10_000 and len(plain) < MAX_TENSORS:
            plain[key] = value
    elif isinstance(value, dict) and key.count("/") < DEPTH:
        for inner, content in value.items():
            if isinstance(inner, str | int):
                _collect(content, f"{key}/{inner}" if key else str(inner), tensors, plain)


def _why(error: Exception) -> str:
    """Say in one line what torch refuses."""
    text = str(error)
    found = re.search(r"(?:Unsupported global: GLOBAL|Trying to load unsupported GLOBAL) (\S+)", text)
    if found:
        return f"it wants more than tensors: {found[1]}, which might run code"
    return "it is damaged, or holds no weights of PyTorch"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
