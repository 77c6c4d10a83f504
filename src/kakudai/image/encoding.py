"""Encode a picture into the bytes of a format, and say what the format could not hold."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kakudai.errors import OutputError
from kakudai.image import containers, exif, gif
from kakudai.image.alpha import is_transparent, on_paper
from kakudai.image.formats import FORMATS, Format
from kakudai.image.picture import Metadata, Picture, Pixels, full_scale
from kakudai.image.vips import EXIF, ICC, XMP, libvips, one_line

LARGE = 24_000_000
"""Pixels above which less is done for small files: one core compresses while the others wait, and for 48 megapixels
that wait was a fifth of the network's own time. A PNG is compressed at level 1 instead of 2, and a JPEG has standard
Huffman tables instead of those that fit it best. What that brings and costs: docs/reference/gains.md."""

ROWS = 256
"""Rows converted at a time, so that no second copy of the picture in floating point exists."""
DTYPES = {8: np.uint8, 10: np.uint16, 12: np.uint16, 16: np.uint16, 32: np.float32}
PLACEHOLDER = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
"""An EXIF block without entries."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written.

    Args:
        depth: Bits per channel.
        quality: 1 to 100, or None where the format has none.
        notes: Sentences on what is lost.
        dither: Whether colours that a palette lacks become patterns; None where they would show as bands.
    """

    depth: int
    quality: int | None
    notes: tuple[str, ...]
    dither: bool | None = None


def make_plan(picture: Picture, entry: Format, quality: int | None, depth: int | None) -> Plan:
    """Choose depth and quality for a picture in a format."""
    own = picture.color.dtype.itemsize * 8
    wanted = depth or own
    best = max((bits for bits in entry.depths if bits <= wanted), default=entry.depths[0])
    notes = []
    name = entry.title
    if best < wanted:
        kind = "floating-point values" if wanted == 32 else f"{wanted}-bit channels"
        notes.append(f"{name} cannot hold {kind}: written with {best} bits")
    if picture.alpha is not None and not entry.alpha and is_transparent(picture.alpha):
        notes.append(f"{name} cannot hold transparency: the picture was laid on white")
    if picture.channels == 1 and not entry.grey:
        notes.append(f"{name} has no grey: written as RGB with equal channels")
    return Plan(best, (quality or entry.quality) if entry.quality else None, tuple(notes))


def encode(picture: Picture, entry: Format, plan: Plan) -> tuple[list[bytes | memoryview], tuple[str, ...]]:
    """Return the file in pieces, and what it could not hold of the metadata.

    Raises:
        OutputError: the encoder gave up.
    """
    vips = libvips()
    if entry.name == "gif":
        lost: list[str] = []
        return list(gif.write(iter([shot(picture, lost)]), 1, 1, plan.dither, lost)), tuple(lost)
    pixels = to_depth(joined(picture, entry), plan.depth)
    try:
        image = _image(pixels, picture, entry)
        image, metadata, notes = carried(image, picture.metadata, entry)
        keep = "icc|xmp|exif" if image.get_typeof(EXIF) else "icc|xmp"  # else libvips makes up an EXIF block
        data = getattr(image, f"{entry.saver}_buffer")(
            keep=keep, **saver_options(entry, plan, pixels.shape[0] * pixels.shape[1], pixels.nbytes)
        )
    except (vips.Error, UnicodeDecodeError) as error:
        raise OutputError(f"{entry.title} encoder failed: {one_line(error)}", "try another --format") from None
    pieces, more = with_metadata(data, metadata, entry, pixels.shape)
    return pieces, (*notes, *more)


def in_8_bits(picture: Picture, entry: Format, *, srgb: bool = False) -> Pixels:
    """Return a picture for encoders that take nothing else. Shape: (H, W, 3 | 4) uint8, alpha last.

    Args:
        picture: What is to be written.
        entry: The format; its word on grey and alpha counts.
        srgb: The format has no room for a profile: colours become sRGB.

    Raises:
        OutputError: The colour profile cannot be applied.
    """
    vips = libvips()
    profile = picture.metadata.icc
    image = _image(to_depth(joined(picture, entry), 8), picture, entry)
    try:
        if srgb and profile and picture.channels == 3:
            image = image.copy()
            image.set_type(vips.GValue.blob_type, ICC, profile)
            image = image.icc_transform("srgb", embedded=True, depth=8, intent="relative")
        pixels: Pixels = image.numpy()
    except vips.Error as error:
        raise OutputError(f"the colour profile cannot be applied: {one_line(error)}", "use --format png") from None
    return pixels


def shot(picture: Picture, notes: list[str], hundredths: int = 0) -> gif.Shot:
    """Return a picture as one frame of a GIF; what GIF cannot hold is added to the notes, once."""
    pixels, metadata = in_8_bits(picture, FORMATS["gif"], srgb=True), picture.metadata
    visible = np.ones(pixels.shape[:2], bool)
    lost = {
        "a colour profile: colours became sRGB": metadata.icc, "EXIF: dropped": metadata.exif,
        "XMP: dropped": metadata.xmp, "a resolution: dropped": metadata.resolution,
    }  # fmt: skip
    said = [f"GIF cannot hold {what}" for what, there in lost.items() if there]
    if pixels.shape[2] == 4:
        visible = pixels[..., 3] >= 128
        if ((pixels[..., 3] != 255) & (pixels[..., 3] != 0)).any():
            said.append("GIF cannot hold half transparent pixels: they became opaque or invisible")
    notes.extend(note for note in said if note not in notes)
    return gif.Shot(pixels[..., :3], visible, hundredths)


def to_depth(pixels: Pixels, bits: int) -> Pixels:
    """Convert between 8, 10, 12, 16 bits and float, rounding half up; 10 and 12 stand in the upper bits of 16.

    Convention: full scale maps to full scale, so 8 to 16 bits is times 257, and there and back changes
        nothing.
    """
    dtype = np.dtype(DTYPES[bits])
    spare = dtype.itemsize * 8 - bits
    if pixels.dtype == dtype and not spare:
        return pixels
    output = np.empty(pixels.shape, dtype)
    top = 1.0 if bits == 32 else float((1 << bits) - 1)
    factor = np.float64(top / full_scale(pixels.dtype))
    for start in range(0, len(pixels), ROWS):
        rows = pixels[start : start + ROWS] * factor
        output[start : start + ROWS] = rows if bits == 32 else np.floor(np.clip(rows, 0.0, top) + 0.5)
    if spare:
        output <<= spare
    return output


def joined(picture: Picture, entry: Format) -> Pixels:
    """Return colour and alpha as one array, or colour laid on white where the format has no alpha.

    Raises:
        OutputError: They are not all numbers.
    """
    color, alpha = picture.color, picture.alpha
    if any(plane is not None and plane.dtype.kind == "f" and not np.isfinite(plane).all() for plane in (color, alpha)):
        raise OutputError("the picture holds values that are not numbers", "check the array that was passed in")
    if alpha is None:
        return color
    if entry.alpha:
        return np.concatenate([color, alpha], axis=2)
    white = full_scale(color.dtype)
    output = np.empty_like(color)
    for start in range(0, len(color), ROWS):
        rows = slice(start, start + ROWS)
        output[rows] = on_paper(color[rows], alpha[rows], white)
    return output


def _image(pixels: Pixels, picture: Picture, entry: Format) -> Any:
    """Return a libvips image of pixels, see `as_written`."""
    image = libvips().Image.new_from_array(np.ascontiguousarray(pixels))
    return as_written(image, pixels.dtype, picture.metadata, entry)


def as_written(image: Any, dtype: np.dtype[Any], metadata: Metadata, entry: Format) -> Any:
    """Name what a libvips image holds; grey becomes RGB, through its profile, where the format has no grey."""
    vips = libvips()
    grey = image.bands <= 2
    names = {"uint8": ("b-w", "srgb"), "uint16": ("grey16", "rgb16"), "float32": ("b-w", "scrgb")}
    image = image.copy(interpretation=names[dtype.name][0 if grey else 1])
    if not grey or entry.grey:
        return image
    alpha = image[1] if image.bands == 2 else None
    color = image[0]
    if metadata.icc:
        color.set_type(vips.GValue.blob_type, ICC, metadata.icc)
        depth = 16 if dtype == np.uint16 else 8
        color = color.icc_transform("srgb", embedded=True, depth=depth, intent="relative")
    else:
        color = color.bandjoin([color, color])
    color = color if alpha is None else color.bandjoin(alpha)
    return color.copy(interpretation=names[dtype.name][1])


def carried(image: Any, metadata: Metadata, entry: Format) -> tuple[Any, Metadata, tuple[str, ...]]:
    """Attach what libvips writes itself, drop what the format has no room for, and say so."""
    vips = libvips()
    notes: list[str] = []
    image = image.copy()
    if metadata.icc and metadata.icc[16:20] == b"GRAY" and not entry.grey:
        metadata = replace(metadata, icc=None)
        notes.append(f"{entry.title} has no grey: the grey colour profile was applied, and the picture is sRGB")
    if metadata.exif and entry.max_exif and len(metadata.exif) > entry.max_exif:
        notes.append(f"{entry.title} cannot hold EXIF of {len(metadata.exif)} bytes: dropped")
        metadata = replace(metadata, exif=None)
    if metadata.xmp and entry.max_xmp and len(metadata.xmp) > entry.max_xmp:
        notes.append(f"{entry.title} cannot hold XMP of {len(metadata.xmp)} bytes: dropped")
        metadata = replace(metadata, xmp=None)
    image.remove(ICC) if image.get_typeof(ICC) else None
    if metadata.icc:
        image.set_type(vips.GValue.blob_type, ICC, metadata.icc)
    if metadata.xmp and entry.name != "png":
        image.set_type(vips.GValue.blob_type, XMP, metadata.xmp)
    if entry.name == "avif" and (metadata.exif or metadata.resolution):
        image.set_type(vips.GValue.blob_type, EXIF, PLACEHOLDER)
    return image, metadata, tuple(notes)


def saver_options(entry: Format, plan: Plan, pixels: int, size: int) -> dict[str, Any]:
    """Return the arguments of libvips' saver for so many pixels, of so many bytes together."""
    options = dict(entry.options)
    if plan.quality is not None:
        options["Q"] = plan.quality
    if entry.name == "webp" and plan.quality == 100:
        options |= {"lossless": True, "exact": True, "smart_subsample": False}
    if entry.name == "png" and pixels > LARGE:
        options["compression"] = 1
    if entry.name == "jpeg" and pixels > LARGE:
        options["optimize_coding"] = False
    if entry.name == "avif":
        options["bitdepth"] = plan.depth
    if entry.name == "tiff":
        options["predictor"] = "float" if plan.depth == 32 else "horizontal"
        options["bigtiff"] = size > 4_000_000_000
    return options


def with_metadata(
    data: bytes, metadata: Metadata, entry: Format, shape: tuple[int, ...]
) -> tuple[list[bytes | memoryview], tuple[str, ...]]:
    """Put resolution and EXIF into the encoded file."""
    height, width = shape[:2]
    dpi = containers.plausible(metadata.resolution)
    block = exif.fitted(metadata.exif, width, height, dpi, add=entry.name in ("webp", "avif"))
    if entry.name == "png":
        return containers.png_with(data, dpi, block, metadata.xmp), ()
    if entry.name == "jpeg":
        return containers.jpeg_with(data, dpi, block), ()
    if entry.name == "webp":
        return containers.webp_with(data, (width, height), block), ()
    if entry.name == "avif":
        return containers.avif_with(data, block), ()
    if exif.byte_order(data):
        return containers.tiff_with(data, dpi, block), ()
    lost = ("a TIFF over 4 GB is written without EXIF",) if block else ()
    return [data], lost
