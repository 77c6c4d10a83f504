"""Small good files of every kind that kakudai reads by itself; what is damaged begins as one of these."""

import io
import json
import struct
import zipfile
from fractions import Fraction
from itertools import pairwise

import imagecodecs
import numpy as np
from PIL import Image
from safetensors.numpy import save
from tests.animations import animated, moving_square
from tests.bench.records import record
from tests.convert.native import NcnnModel
from tests.evaluate.results_file import result
from tests.image.test_optional import HEIC_8, decoded
from tests.small_models import convolutional, nearest
from tests.train.tiny import TINY

from kakudai.image import exif
from kakudai.image.files import write_image
from kakudai.image.picture import Metadata, Picture
from kakudai.models.pools import Average, Pools, to_json

RNG = np.random.default_rng(5)
COLOR = RNG.integers(0, 256, (14, 19, 3)).astype(np.uint8)
BETWEEN = b"\n\xff--\n"
"""Stands between the two files of an ncnn model, where they are damaged as one."""


def exif_block() -> bytes:
    """Return orientation, resolution, a place and a size in a directory below."""
    place: exif.Tree = {1: (2, 2, b"N\0"), 2: (exif.RATIONAL, 3, struct.pack("<6I", 35, 1, 40, 1, 7, 2))}
    size: exif.Tree = {exif.PIXEL_WIDTH: (exif.LONG, 1, struct.pack("<I", 19)), 0x9286: (7, 12, b"ASCII\0\0\0note")}
    tree: exif.Tree = {
        exif.ORIENTATION: (exif.SHORT, 1, struct.pack("<HH", 6, 0)),
        exif.X_RESOLUTION: (exif.RATIONAL, 1, struct.pack("<II", 300, 1)),
        exif.Y_RESOLUTION: (exif.RATIONAL, 1, struct.pack("<II", 300, 1)),
        exif.EXIF_IFD: size,
        exif.GPS_IFD: place,
    }
    return exif.with_entries(b"II*\0" + struct.pack("<IHI", 8, 0, 0), exif.pack(tree, 14))


def still(name: str, *, depth: type = np.uint8) -> bytes:
    """Encode a picture with all metadata that its format holds."""
    stream = io.BytesIO()
    color = COLOR if depth is np.uint8 else COLOR.astype(depth) * 257
    metadata = Metadata(exif=exif_block(), xmp=b"<x:xmpmeta tiff:Orientation='6'/>", resolution=(72.0, 144.0))
    write_image(Picture(color, metadata=metadata), stream, format=name)
    return stream.getvalue()


def by_pillow(name: str, **options: object) -> bytes:
    """Encode a picture as another program does."""
    stream = io.BytesIO()
    Image.fromarray(COLOR).save(stream, name, **options)
    return stream.getvalue()


def moving(name: str) -> bytes:
    """Encode an animation of three frames."""
    return animated(moving_square(3), name, [Fraction(1, 10)] * 3)


def stills() -> list[bytes]:
    """Return a picture of each format."""
    pages = [Image.fromarray(COLOR[..., 1])] * 2
    return [
        still("png"), still("png", depth=np.uint16), still("jpeg"), still("webp"), still("tiff"), still("avif"),
        by_pillow("JPEG", progressive=True), by_pillow("BMP"), by_pillow("GIF"), by_pillow("WEBP", lossless=True),
        by_pillow("TIFF", save_all=True, append_images=pages), imagecodecs.jpegxl_encode(COLOR), decoded(HEIC_8),
    ]  # fmt: skip


def animations() -> list[bytes]:
    """Return an animation of each format."""
    return [moving(name) for name in ("png", "gif", "webp", "avif")]


def exif_blocks() -> list[bytes]:
    """Return a block in either order of bytes, and one of nothing."""
    return [
        exif_block(),
        b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, exif.ORIENTATION, 3, 1, 8, 0, 0),
        b"II*\0" + bytes(8),
    ]


def books() -> list[bytes]:
    """Return a book of two pages, packed and as it is."""
    pages = {"a/1.png": by_pillow("PNG"), "ページ.jpg": by_pillow("JPEG"), "ComicInfo.xml": b"<ComicInfo/>"}
    made = []
    for way in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", way) as archive:
            for name, data in pages.items():
                archive.writestr(zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6)), data, way)
        made.append(stream.getvalue())
    return made


def weight_archives() -> list[bytes]:
    """Return what torch makes of weights, as an archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in (("w/data.pkl", b"\x80\x02}."), ("w/data/0", bytes(64)), ("w/version", b"3\n")):
            archive.writestr(name, data)
    return [stream.getvalue()]


def safetensors() -> list[bytes]:
    """Return two tensors with metadata."""
    tensors = {"a.weight": COLOR[:3, :4].astype(np.float32), "a.bias": np.ones(3, np.float16)}
    return [save(tensors, {"network": "espcn", "scale": "2"})]


def averages() -> list[bytes]:
    """Return what a card says of the averages of a network."""
    pools = Pools(18, True, (Average("a", Fraction(2), 12, 0), Average("b", Fraction(1, 2), -3, 1)), 4)
    return [to_json(pools).encode()]


def networks() -> list[bytes]:
    """Return ONNX files of ours."""
    return [nearest(pools=averages()[0].decode(), multiple="2"), convolutional(channels=2)]


def ncnn_models() -> list[bytes]:
    """Return a .param and its .bin, one behind the other."""
    small = NcnnModel()
    small.convolution(4, 3, 3, "4=1 9=2 -23310=1,1.000000e-01")
    small.convolution(12, 4, 3, "4=1")
    small.layer("PixelShuffle", "0=2")
    return [small.param.encode() + BETWEEN + small.weights]


def waifu2x_networks() -> list[bytes]:
    """Return a vgg_7 of two channels."""
    widths = [3, 2, 2, 2, 2, 2, 2, 3]
    layers = [
        {"class_name": "nn.SpatialConvolutionMM", "kW": 3, "kH": 3, "dW": 1, "dH": 1, "padW": 0, "padH": 0,
         "nInputPlane": into, "nOutputPlane": out, "bias": [0.25] * out,
         "weight": RNG.integers(-9, 9, (out, into, 3, 3)).tolist()}
        for into, out in pairwise(widths)
    ]  # fmt: skip
    layers[0]["model_config"] = {"arch_name": "vgg_7", "channels": 3, "kakudai_scale": 2}
    return [json.dumps(layers).encode()]


def recipes() -> list[bytes]:
    """Return a recipe."""
    return [TINY.encode()]


def packs() -> list[bytes]:
    """Return a pack of two pictures; its pixels begin where a block of the disk does."""
    sizes = ((4, 5, 0), (3, 7, 60))
    entries = [
        {"name": f"p{offset}", "folder": "f", "licence": "CC0-1.0", "height": height, "width": width, "offset": offset}
        for height, width, offset in sizes
    ]
    return [(b"kakudai pack 1\n" + json.dumps(entries).encode() + b"\n").ljust(4096, b"\0") + bytes(60 + 63)]


def tables_of_sources() -> list[bytes]:
    """Return what stands beside pictures that are packed."""
    return [
        "file\tlicence\na.png\tCC0-1.0\nページ.png\tCC-BY-4.0\n".encode(),
        b"stored_as\tlicence\tx\na.png\tCC0\t1\n",
    ]


def evaluations() -> list[bytes]:
    """Return what `kakudai evaluate` writes."""
    return [json.dumps(result("photo-x2")).encode()]


def records() -> list[bytes]:
    """Return what `kakudai bench` writes."""
    return [json.dumps(record().as_json()).encode()]


def logs() -> list[bytes]:
    """Return what a run of training writes while it goes on."""
    lines = (
        {"step": step, "seconds": step / 3, "loss": 1 / step, "psnr": 30 + step / 100} for step in range(10, 90, 10)
    )
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]
