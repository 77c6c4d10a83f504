"""`load_model`: the one function that turns whatever the user names into a model that runs."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from kakudai.errors import ModelInvalid, UsageError
from kakudai.models import Model, find_model, list_models, store
from kakudai.models.catalogue import is_folder, is_own, is_path, model_from_bytes
from kakudai.models.runs import is_run, network_of_run
from kakudai.models.shipped import WORDS

if TYPE_CHECKING:
    from kakudai.convert import Source

logger = logging.getLogger(__name__)


def load_model(name: str | PathLike[str]) -> Model:
    """Return the model of that name, shipped or imported, or the one in the file at that path, whoever wrote it.

    The path may be the folder of a training run, too.

    A file of another program is converted, and the conversion is kept in the user's cache folder by the hash of its
    content. Nothing is kept of a file that cannot be converted.

    Raises:
        ModelNotFound: There is no such name or file.
        ModelInvalid: The file is no network that can be run.
        RuntimeUnavailable: A package that this kind of file needs is not installed.
    """
    if is_folder(name) and is_run(Path(name)):
        name = network_of_run(Path(name))
    if not is_path(name) and not is_folder(name):
        return find_model(name)
    from kakudai.convert import read_source

    source = read_source(Path(name))
    if source.kind == "onnx" and is_own(source.parts[0], str(source.path)):
        return model_from_bytes(source.parts[0], str(source.path))
    from kakudai.convert import cache_key, convert_source

    key = cache_key(source)
    model = _cached(key)
    if model is None:
        data = convert_source(source, open_network=open_network)
        model = model_from_bytes(data, str(source.path))
        open_network(data)
        store.remember(key, data)
        logger.warning("%s: %s", source.path.name, describe(model))
    stem = source.path.stem
    return replace(model, name=stem, native=_native(source), card={**model.card, "name": stem})


def import_model(
    path: Path, *, name: str | None = None, licence: str | None = None, replace_old: bool = False
) -> Model:
    """Convert a file and keep it under a name, for `load_model` to find.

    Args:
        path: A model file of ours or of anybody's.
        name: What to call it; the name of the file if None.
        licence: What its card shall say; what the file says if None.
        replace_old: Take the place of an imported model of that name.

    Raises:
        ModelNotFound: There is no such file.
        ModelInvalid: It is no network that can be run.
        UsageError: The name is none, or that of a shipped model.
        OutputError: It cannot be stored, or the name is taken.
        RuntimeUnavailable: A package that this kind of file needs is not installed.
    """
    from kakudai.convert import convert_source, read_source, relabel

    name = store.check_name(store.name_for(path.stem) if name is None else name)
    if name in WORDS or name in {model.name for model in list_models()}:
        raise UsageError(f"{name} means what is shipped", "give another name with --name")
    source = read_source(path)
    own = source.kind == "onnx" and is_own(source.parts[0], str(path))
    data = source.parts[0] if own else convert_source(source, open_network=open_network)
    model = model_from_bytes(data, str(path))
    changes = {"name": name} if licence is None else {"name": name, "licence": licence}
    if any(model.card.get(key) != value for key, value in changes.items()):
        data = relabel(data, changes)
    open_network(data)
    store.keep(name, data, _native(source), replace=replace_old)
    return find_model(name)


def _native(source: "Source") -> tuple[bytes, bytes] | None:
    return (source.parts[0], source.parts[1]) if source.kind == "ncnn" else None


def describe(model: Model) -> str:
    """Say what a converted model is, in one line."""
    halo = "sees the whole picture" if model.halo is None else f"halo {model.halo}"
    network = model.card.get("network", "unknown")
    known = "unknown network" if network == "unknown" else network
    what = f"{known}, {model.scale}x, {halo}, {model.color}"
    return f"{what}; {model.card['notes']}" if model.card.get("notes") else what


def open_network(data: bytes) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Open an ONNX file of one input for the converters, which probe it: array -> its first output.

    Memory and time are limited, for nobody knows yet what the file does.

    Raises:
        ModelInvalid: ONNX Runtime refuses the file; or, by what is returned, the array, or it takes too much.
    """
    import onnxruntime

    options = _limited(onnxruntime)
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = LOG_FATAL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelInvalid(f"ONNX Runtime refuses the network: {_first_line(error)}", "export it again") from error
    first = session.get_inputs()[0].name

    def run(x: NDArray[Any]) -> NDArray[Any]:
        limits = onnxruntime.RunOptions()
        limits.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        clock = threading.Timer(PROBE_SECONDS, lambda: setattr(limits, "terminate", True))
        clock.start()
        try:
            y: NDArray[Any] = session.run(None, {first: x}, limits)[0]
        except Exception as error:
            raise ModelInvalid(
                f"ONNX Runtime cannot run the network: {_first_line(error)}", "export it again"
            ) from error
        finally:
            clock.cancel()
        return y

    return run


LOG_FATAL = 4

PROBE_BYTES = 8 << 30
"""Memory that networks may take while they are probed, together; the pictures are small."""

PROBE_SECONDS = 120.0


def _limited(onnxruntime: Any) -> Any:
    """Return options for a session whose memory comes out of one store of limited size."""
    kinds = onnxruntime.OrtAllocatorType, onnxruntime.OrtMemType
    place = onnxruntime.OrtMemoryInfo("Cpu", kinds[0].ORT_ARENA_ALLOCATOR, 0, kinds[1].DEFAULT)
    with contextlib.suppress(Exception):  # there is one already: it is the process's, made by the first call
        onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg({"max_mem": PROBE_BYTES}))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def _cached(key: str) -> Model | None:
    data = store.cached(key)
    if data is None:
        return None
    try:
        return model_from_bytes(data, "the cached conversion")
    except ModelInvalid:
        store.forget(key)
        return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
