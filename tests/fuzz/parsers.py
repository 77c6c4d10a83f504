"""All readers of kakudai that look at bytes of others: how each is called, and what it may raise."""

import contextlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import seeds

from kakudai.analyse.jpeg_file import read_jpeg_history
from kakudai.bench.record import read_record
from kakudai.convert.ncnn_file import convert_ncnn
from kakudai.convert.source import PICKLE_MAGIC, ZIP_MAGIC, is_safetensors, sniff
from kakudai.convert.unpickle import check_archive, read_tensors
from kakudai.convert.waifu2x_json import convert_json
from kakudai.data.pack import open_pack, pack_folders
from kakudai.errors import KakudaiError, ModelInvalid, PictureError
from kakudai.evaluate.results import read_results
from kakudai.evaluate.runs import LOG, read_run
from kakudai.image import apng, containers, exif, gif, jxl
from kakudai.image.animation import open_animation
from kakudai.image.archive import open_book
from kakudai.image.files import read_image
from kakudai.image.vips import Broken
from kakudai.models.catalogue import model_from_bytes
from kakudai.models.pools import from_json
from kakudai.serve.header import read_header, upright_size
from kakudai.serve.privacy import exif_without_place
from kakudai.train.recipe import read_recipe

PIXELS = 50_000
"""Of a picture that is decoded: the readers are tested here, and not the decoders."""

NOTHING: tuple[type[Exception], ...] = ()


@dataclass(frozen=True, slots=True)
class Parser:
    """One reader.

    Args:
        name: What the test is called.
        read: Takes the bytes, and an empty folder for those that want a file.
        seeds: Makes small good files.
        refuses: What it may raise; `NOTHING` where it answers whatever comes.
        text: Its files are texts.
    """

    name: str
    read: Callable[[bytes, Path], object]
    seeds: Callable[[], list[bytes]]
    refuses: type[Exception] | tuple[type[Exception], ...] = KakudaiError
    text: bool = False


def _pictures(data: bytes, _: Path) -> None:
    read_image(data, max_pixels=PIXELS)


def _animations(data: bytes, _: Path) -> None:
    animation = open_animation(data, max_pixels=PIXELS)
    for _frame in animation.frames() if animation else ():
        pass


def _apng(data: bytes, folder: Path) -> None:
    """Read it with right checksums, without which nothing that is wrong is ever looked at."""
    _animations(_with_checksums(data), folder)


def _with_checksums(data: bytes) -> bytes:
    """Correct the checksum of every chunk of a PNG."""
    mended, position = bytearray(data), len(apng.SIGNATURE)
    while position + 12 <= len(mended):
        end = position + 8 + int.from_bytes(mended[position : position + 4], "big")
        if end + 4 <= len(mended):
            mended[end : end + 4] = zlib.crc32(mended[position + 4 : end]).to_bytes(4, "big")
        position = end + 4
    return bytes(mended)


def _header(data: bytes, _: Path) -> None:
    header = read_header(data, 50)
    if header:
        upright_size(data, header)


def _exif(data: bytes, _: Path) -> None:
    exif.orientation(data)
    exif.resolution(data)
    exif.upright(data)
    exif.fitted(data, 38, 28, (300.0, 72.5), add=True)
    exif.from_tiff(data)
    exif_without_place(data)


def _containers(data: bytes, _: Path) -> None:
    containers.png_statements(data)
    containers.jpeg_tables(data)
    containers.jpeg_dpi(data)
    containers.heif_frames(data)


def _jxl(data: bytes, _: Path) -> None:
    for _name, body in jxl.boxes(data):
        jxl.read_header(body)


def _book(data: bytes, _: Path) -> None:
    with open_book(data) as book:
        for member in book.members:
            with contextlib.suppress(PictureError):
                book.read(member)


def _ncnn(data: bytes, _: Path) -> None:
    param, _mark, weights = data.partition(seeds.BETWEEN)
    convert_ncnn(param.decode(errors="replace"), weights, "fuzz")


def _kind(data: bytes, _: Path) -> None:
    for ending in ("onnx", "json", "param", "bin", "pth", "safetensors", "txt"):
        with contextlib.suppress(ModelInvalid):
            sniff(data, Path(f"model.{ending}"))


def _tensors(data: bytes, _: Path) -> None:
    pickled = data.startswith((ZIP_MAGIC, PICKLE_MAGIC)) and not is_safetensors(data)
    if not pickled:  # those are read by another process, which would be started here thousands of times
        read_tensors(data, "fuzz")


def _pack(data: bytes, folder: Path) -> None:
    pack = open_pack(_written(data, folder / "pack"))
    pack.licences()
    for picture in pack.pictures:
        pack.image(picture).sum()


def _sources(data: bytes, folder: Path) -> None:
    _written(data, folder / "SOURCES.tsv")
    _written(seeds.by_pillow("PNG"), folder / "a.png")
    pack_folders([folder], folder / "pack").licences()


def _run(data: bytes, folder: Path) -> None:
    for name in (LOG, "recipe.json", "best.json"):
        _written(data, folder / name)
    read_run(folder)


def _written(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path


def pictures_and_animations() -> list[bytes]:
    """Return a file of every format, and of those that move another."""
    return [*seeds.stills(), *seeds.animations()]


PARSERS = (
    Parser("pictures", _pictures, seeds.stills),
    Parser("animations", _animations, seeds.animations),
    Parser("apng", _apng, lambda: seeds.animations()[:1]),
    Parser("headers", _header, pictures_and_animations, NOTHING),
    Parser("exif", _exif, seeds.exif_blocks, NOTHING),
    Parser("containers", _containers, pictures_and_animations, NOTHING),
    Parser("gif-frames", lambda data, _: gif.count_frames(data), lambda: [seeds.moving("gif")], Broken),
    Parser("jxl-headers", _jxl, lambda: [seeds.stills()[-2]], Broken),
    Parser("jpeg-history", lambda data, _: read_jpeg_history(data), lambda: [seeds.still("jpeg")], NOTHING),
    Parser("books", _book, seeds.books),
    Parser("onnx", lambda data, _: model_from_bytes(data, "fuzz"), seeds.networks),
    Parser("averages", lambda data, _: from_json(data.decode(errors="replace")), seeds.averages, ValueError, True),
    Parser("ncnn", _ncnn, seeds.ncnn_models, text=True),
    Parser("waifu2x", lambda data, _: convert_json(data, "fuzz"), seeds.waifu2x_networks, text=True),
    Parser("kinds-of-models", _kind, lambda: [*seeds.networks(), *seeds.safetensors(), *seeds.weight_archives()]),
    Parser("weight-archives", lambda data, _: check_archive(data, "fuzz"), seeds.weight_archives),
    Parser("safetensors", _tensors, seeds.safetensors, text=True),
    Parser("recipes", lambda data, folder: read_recipe(_written(data, folder / "r")), seeds.recipes, text=True),
    Parser("packs", _pack, seeds.packs, text=True),
    Parser("tables-of-sources", _sources, seeds.tables_of_sources, text=True),
    Parser(
        "evaluations", lambda data, folder: read_results(_written(data, folder / "r")), seeds.evaluations, text=True
    ),
    Parser("records", lambda data, folder: read_record(_written(data, folder / "r")), seeds.records, text=True),
    Parser("runs", _run, seeds.logs, text=True),
)
