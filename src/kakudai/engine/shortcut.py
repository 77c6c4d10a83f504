"""`kakudai.upscale`: one picture, one call."""

from os import PathLike
from typing import Literal, overload

from kakudai.engine.batch import upscale_file
from kakudai.engine.job import FileResult
from kakudai.engine.machine import Precision
from kakudai.engine.runtimes import RuntimeName
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import UsageError
from kakudai.image.picture import Pixels


@overload
def upscale(
    source: Pixels, target: None = None, *, scale: float = 2, model: str | PathLike[str] = "auto",
    denoise: int | Literal["auto"] = "auto", tta: int = 1, runtime: RuntimeName = "auto", threads: int | None = None,
    precision: Precision = "auto",
) -> Pixels: ...  # fmt: skip
@overload
def upscale(
    source: str | PathLike[str], target: str | PathLike[str], *, scale: float = 2, model: str | PathLike[str] = "auto",
    denoise: int | Literal["auto"] = "auto", tta: int = 1, runtime: RuntimeName = "auto", threads: int | None = None,
    precision: Precision = "auto",
) -> FileResult: ...  # fmt: skip
def upscale(
    source: Pixels | str | PathLike[str],
    target: str | PathLike[str] | None = None,
    *,
    scale: float = 2,
    model: str | PathLike[str] = "auto",
    denoise: int | Literal["auto"] = "auto",
    tta: int = 1,
    runtime: RuntimeName = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
) -> Pixels | FileResult:
    """Enlarge one picture, an array or a file. For several pictures an `Upscaler` loads the model once.

    Shape: (H, W) or (H, W, 1 to 4) uint8, uint16 or float32 in [0, 1] -> the same layout and dtype, enlarged.

    Args:
        source: An array, or the path of a picture.
        target: Where the result is written, if `source` is a path.
        scale: Output pixels per input pixel, 0.1 to 16.
        model: "auto", "photo", "art", a name, the path of a model of whatever program, or a folder, see `Upscaler`.
        denoise: Strength of noise removal, 0 to 100, or "auto", see `Upscaler`.
        tta: The result is the mean over this many ways to lay the picture: 1, 2, 4 or 8.
        runtime: "auto", "onnxruntime", "openvino" or "ncnn".
        threads: Processor threads; None uses all that this process may.
        precision: "auto", "float32", "bfloat16", "float16" or "int8", see `Upscaler`.

    Raises:
        KakudaiError: See `kakudai.errors`.
    """
    with Upscaler(
        scale, model=model, denoise=denoise, tta=tta, runtime=runtime, threads=threads, precision=precision
    ) as upscaler:
        if not isinstance(source, str | PathLike):
            return upscaler.upscale(source)
        if target is None:
            raise UsageError("a file is enlarged into a file", "name the target: upscale(source, target)")
        return upscale_file(upscaler, source, target)
