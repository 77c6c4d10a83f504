"""One file of every kind that people have, and the page that says what becomes of it.

`python docs/make_formats.py` writes docs/reference/model-formats.md; the tests compare it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from tests.convert.foreign_networks import Foreign
from tests.convert.test_foreign_onnx import of_one_size
from tests.convert.weight_files import compact, edsr_of_basicsr, edsr_original, esrgan, nunif_named, pickled
from torch import nn

from kakudai.convert.card import finish
from kakudai.convert.spandrel_file import _torchvision
from kakudai.convert.to_ncnn import export_ncnn
from kakudai.convert.to_waifu2x_json import export_json
from kakudai.convert.torch_file import convert_torch
from kakudai.engine.loading import load_model, open_network
from kakudai.networks.edsr import EDSR
from kakudai.networks.espcn import ESPCN
from kakudai.networks.rrdb import RRDBNet
from kakudai.networks.srvgg import SRVGGNetCompact
from kakudai.networks.waifu2x import Waifu2x

PAGE = Path(__file__).parents[2] / "docs/reference/model-formats.md"

HEAD = """# Which model files load

Every row is a file that the tests write, in the way the program in the first column writes it, and load with
`kakudai upscale -m FILE`. `kakudai models import FILE --name NAME` keeps a model under a name. What a file becomes is
kept in the cache folder by the hash of its content, so that it is converted once.

This page is written by `python docs/make_formats.py`; the tests fail when it is not current.

"""

FOOT = """
"sees" is how many input pixels around one pixel its enlargement depends on; for deep networks, how far it was measured
to matter. "divides by" is what the sides of pictures are padded to divide by; nobody needs to care.

What is needed: `pip install 'kakudai[convert]'`, and torch for PyTorch's files. Networks that are not in `networks/`
are read by spandrel where it is installed: `pip install --no-deps spandrel einops` (without `--no-deps` its dependency
torchvision may replace torch).

What is refused, with one line that says why: files that run code, compressed or damaged archives, TorchScript programs,
weights that are not numbers, ONNX files with operators of their own or with weights in other files, networks that take
more than one picture, and networks that do not give the picture back.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of file.

    Args:
        program: Who writes such files.
        what: Which network, and what is peculiar.
        name: What the file is called.
        write: Writes it, and what belongs to it, and makes no other.
    """

    program: str
    what: str
    name: str
    write: Callable[[Path], None]

    def row(self, folder: Path) -> str:
        """Load the file and enlarge a flat picture with it; return a row of the table."""
        path = folder / self.name
        self.write(path)
        model = load_model(path)
        side = 8 * model.multiple
        y = open_network(model.data)(np.full((1, 3, side, side), 0.5, np.float32))
        assert y.shape == (1, 3, model.scale * side, model.scale * side)
        assert np.isfinite(y).all()
        sees = "everything" if model.halo is None else str(model.halo)
        ending = "`.param` + `.bin`" if path.suffix == ".param" else f"`{path.suffix}`"
        cells = [self.program, self.what, ending, f"{model.scale}x", model.color, sees, str(model.multiple)]
        return f"| {' | '.join(cells)} |"


def _bytes(make: Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda path: void(path.write_bytes(make()))


def void(_: object) -> None:
    """Throw a result away."""


def network(kind: type[nn.Module], **arguments: object) -> nn.Module:
    torch.manual_seed(0)
    return kind(**arguments).eval()


def ours(name: str, built: nn.Module, arguments: dict[str, object]) -> bytes:
    """Our safetensors."""
    metadata = {"network": name, "arguments": json.dumps(arguments), "scale": str(built.scale)}
    return save(built.state_dict(), metadata)


def waifu2x(variant: str, scale: int) -> bytes:
    data = ours("waifu2x", network(Waifu2x, variant=variant, scale=scale), {"variant": variant})
    return finish(convert_torch(data, "waifu2x", open_network))


def write_ncnn(path: Path) -> None:
    data = ours("srvgg", network(SRVGGNetCompact, convolutions=2, channels=8), {"convolutions": 2, "channels": 8})
    param, weights = export_ncnn(finish(convert_torch(data, "small", open_network)), "small")
    path.write_text(param)
    path.with_suffix(".bin").write_bytes(weights)


def run_checkpoint() -> bytes:
    state = network(ESPCN).state_dict()
    recipe = {"network": "espcn", "arguments": {}, "scale": 2, "color": "luma", "licence": "CC0-1.0", "pack": "p"}
    return pickled({"recipe": recipe, "step": 1, "network": state, "average": state})


def spandrels(name: str, **arguments: object) -> bytes:
    import warnings

    with _torchvision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = __import__(f"spandrel.architectures.{name}", fromlist=[name])
        return save(network(getattr(module, name), **arguments).state_dict())


def small_rrdb(**arguments: int) -> nn.Module:
    return network(RRDBNet, **{"blocks": 1, "channels": 8, "growth": 4, **arguments})


def nunif(variant: str, **arguments: object) -> bytes:
    built = network(Waifu2x, variant=variant, **arguments)
    state = {key.removeprefix("state_dict/"): value for key, value in nunif_named(built).items()}
    return pickled({"name": f"waifu2x.{variant}", "kwargs": {"in_channels": 3}, "state_dict": state})


COMPACT = {"convolutions": 2, "channels": 8}

CASES = [
    Case("waifu2x", "vgg_7", "scale2.0x_model.json", _bytes(lambda: export_json(waifu2x("vgg_7", 2), "x"))),
    Case("waifu2x", "vgg_7, denoising", "noise1_model.json", _bytes(lambda: export_json(waifu2x("vgg_7", 1), "x"))),
    Case("waifu2x", "upconv_7", "up_scale2.0x_model.json", _bytes(lambda: export_json(waifu2x("upconv_7", 2), "x"))),
    Case("waifu2x", "upcunet", "cu_scale2.0x_model.json", _bytes(lambda: export_json(waifu2x("upcunet", 2), "x"))),
    Case("nunif", "waifu2x.upconv_7", "scale2x.pth", _bytes(lambda: nunif("upconv_7", last_bias=True))),
    Case("realesrgan-ncnn-vulkan, Upscayl", "SRVGGNetCompact", "small.param", write_ncnn),
    Case("Real-ESRGAN, OpenModelDB", "SRVGGNetCompact, in `params_ema`", "compact.pth", _bytes(
        lambda: pickled({"params_ema": network(SRVGGNetCompact, scale=4, **COMPACT).state_dict()}))),
    Case("Real-ESRGAN, OpenModelDB", "SRVGGNetCompact", "compact.safetensors", _bytes(
        lambda: save(compact(network(SRVGGNetCompact, scale=2, **COMPACT), "")))),
    Case("Real-ESRGAN", "RRDBNet x4plus, anime 6B", "x4plus.safetensors", _bytes(
        lambda: save(esrgan(small_rrdb(), "real")))),
    Case("Real-ESRGAN", "RRDBNet x2plus, unshuffled", "x2plus.safetensors", _bytes(
        lambda: save(esrgan(small_rrdb(scale=2, unshuffle=2), "real")))),
    Case("ESRGAN", "RRDBNet, numbered names", "esrgan.safetensors", _bytes(
        lambda: save(esrgan(small_rrdb(), "original")))),
    Case("BSRGAN, RealSR", "RRDBNet, `RRDB_trunk`", "bsrgan.safetensors", _bytes(
        lambda: save(esrgan(small_rrdb(), "bsrgan")))),
    Case("BasicSR", "EDSR", "edsr.safetensors", _bytes(
        lambda: save(edsr_of_basicsr(network(EDSR, blocks=2, channels=8))))),
    Case("EDSR-PyTorch", "EDSR", "edsr_x2.safetensors", _bytes(
        lambda: save(edsr_original(network(EDSR, blocks=2, channels=8))))),
    Case("kakudai", "weights", "own.safetensors", _bytes(lambda: ours("espcn", network(ESPCN), {}))),
    Case("kakudai", "checkpoint of a run", "last.ckpt", _bytes(run_checkpoint)),
    Case("spandrel", "SPAN", "span.safetensors", _bytes(
        lambda: spandrels("SPAN", num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2))),
    Case("spandrel", "SwinIR, on windows of 128 pixels", "swinir.safetensors", _bytes(
        lambda: spandrels("SwinIR", upscale=2, img_size=16, window_size=8, depths=[1], embed_dim=8, num_heads=[2],
                          mlp_ratio=2, upsampler="pixelshuffledirect", img_range=1.0))),
    Case("anybody", "ONNX, NCHW 0..1", "plain.onnx", _bytes(lambda: Foreign().data())),
    Case("anybody", "ONNX, NHWC 0..255 uint8", "bytes.onnx", _bytes(
        lambda: Foreign(channels_last=True, dtype=np.uint8, given="0..255").data())),
    Case("anybody", "ONNX, float16", "half.onnx", _bytes(lambda: Foreign(dtype=np.float16, half=True).data())),
    Case("anybody", "ONNX, BGR out", "blue.onnx", _bytes(lambda: Foreign(bgr="out").data())),
    Case("anybody", "ONNX, luma", "luma.onnx", _bytes(lambda: Foreign(luma=True).data())),
    Case("anybody", "ONNX, operator set 11", "old.onnx", _bytes(lambda: Foreign(opset=11).data())),
    Case("anybody", "ONNX, loses its border", "unpadded.onnx", _bytes(lambda: Foreign(unpadded=True).data())),
    Case("anybody", "ONNX of 64x64 pixels, on windows", "fixed.onnx", _bytes(of_one_size)),
]  # fmt: skip


def page(folder: Path) -> str:
    """Write all files into a folder, load them, and return the page."""
    titles = ["written by", "what", "file", "scale", "color", "sees", "divides by"]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *(case.row(folder) for case in CASES)]
    return HEAD + "\n".join(rows) + "\n" + FOOT
