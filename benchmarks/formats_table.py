"""Write docs/reference/formats.md: for every kind of input, what comes out in every format.

    python benchmarks/formats_table.py            # writes the page
    python benchmarks/formats_table.py --check    # exits with 1 if the page is not what the code does today

Each line is a file made here with a colour profile, EXIF, XMP and 300 dpi, as far as its format has room for them;
it is read by kakudai, written in each format, and read again. Nothing in the table is typed by hand.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from kakudai.image.files import FORMATS, output_formats, read_image, write_image
from kakudai.image.picture import Metadata, Picture

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "formats.md"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
DPI = (300.0, 300.0)
READ_BY = {"bmp": "Pillow", "heic": "pi-heif (extra `formats`)", "jxl": "imagecodecs (extra `formats`)"}
WRITTEN_BY = {"gif": "kakudai"}
Y, X = np.mgrid[:48, :64]
COLOR = np.stack([X * 4, Y * 5, 255 - X * 2, X * 3 + Y], axis=2).astype(np.uint8)

INTRODUCTION = """# Formats: what comes out of what goes in

<!-- written by benchmarks/formats_table.py; do not edit -->

A cell says bits per channel and mode of the written file as it was read back, then what it still has of the
input's **i**CC profile, **e**XIF, **x**MP and **r**esolution: a letter is kept, `-` is lost, `.` is that the input
had none. Numbers are the sentences below, which the program prints. Palettes are read as RGB, 1 to 4 bits as 8. EXIF
orientation is applied to the pixels and becomes 1. The gamma and chromaticities of a PNG without a profile are not
applied: a sentence says so where the gamma is far from that of sRGB.

"""

ANIMATIONS = """## Animations

GIF, APNG, WebP and AVIF files of several frames are enlarged frame by frame, into any of these formats; the default is
that of the input. JPEG and TIFF get the first frame, and so does everything with `--still`. A cell says in which units
of a second times are written (a sum never drifts), whether the number of plays is kept, and what pixels become.

| format | read by | times | plays | pixels |
|---|---|---|---|---|
| GIF | libvips | 1/100 | yes | 256 colours, one palette for all frames or one for each, whichever is clearly better |
| PNG | kakudai | exact | yes | exact, 8 and 16 bits |
| WebP | libvips | 1/1000 | yes | as of stills; exact with `--quality 100` |
| AVIF | Pillow | 1/1000 | for ever | 8 bits, also where the input has 10 or 12 |

Only what changes from frame to frame is written. All frames have the networks and the strength that the first ones ask
for. Frames that come again and parts that stay are not run again, which changes no bit of the result. Browsers show
frames of 1/100 s and less for 1/10 s: what is longer becomes 2/100 s at least in GIF, and that is said.

## Books

CBZ and ZIP files of pages become such files: order, names, folders, comment and all that is no page stay. A page that
cannot be enlarged stays as it was, is named, and the exit code is 1. `--format` is that of the pages. Encrypted books,
books that unpack to more than 100 times their size (and 256 MB) or to more than 16 GB, and books of more than 20,000
files are refused; names that lead outside, and files that are neither stored nor deflated, are left out, and that is
said.

"""


def exif() -> bytes:
    """Return a small EXIF block."""
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    return tags.tobytes()


def by_pillow(mode: str, name: str, **options: object) -> bytes:
    """Encode by Pillow, with as much metadata as it puts into the format."""
    stream = io.BytesIO()
    image = Image.fromarray(COLOR[..., :3]).convert(mode)
    if mode == "CMYK":
        image = Image.frombytes("CMYK", (64, 48), COLOR.tobytes())
    icc = {} if mode in ("1", "L", "LA", "CMYK") or name in ("BMP", "GIF") else {"icc_profile": PROFILE}
    image.save(stream, name, dpi=(300, 300), exif=exif(), **icc, **options)
    return stream.getvalue()


def by_kakudai(name: str, channels: int, dtype: str, *, alpha: bool) -> bytes:
    """Encode by kakudai itself what Pillow cannot: 16 bits and floating point."""
    top = {"uint8": 1, "uint16": 257, "float32": 1 / 255}[dtype]
    pixels = (COLOR * np.float64(top)).astype(dtype)
    metadata = Metadata(PROFILE if channels == 3 else None, exif().removeprefix(b"Exif\0\0"), XMP, DPI)
    stream = io.BytesIO()
    write_image(Picture(pixels[..., :channels], pixels[..., 3:] if alpha else None, metadata), stream, format=name)
    return stream.getvalue()


def inputs() -> dict[str, bytes]:
    """Return the encoded inputs by what they are called in the table."""
    made = {
        "PNG 1-bit grey": by_pillow("1", "PNG"),
        "PNG palette": by_pillow("P", "PNG"),
        "PNG palette, transparent": by_pillow("P", "PNG", transparency=bytes(range(256))),
    }
    for name, depths in (("png", ("uint8", "uint16")), ("tiff", ("uint8", "uint16", "float32"))):
        for dtype in depths:
            for channels, mode in ((1, "grey"), (3, "RGB")):
                for alpha in (False, True):
                    bits = {"uint8": "8-bit", "uint16": "16-bit", "float32": "float"}[dtype]
                    label = f"{name.upper()} {bits} {mode}{' + alpha' if alpha else ''}"
                    made[label] = by_kakudai(name, channels, dtype, alpha=alpha)
    made["TIFF CMYK"] = by_pillow("CMYK", "TIFF")
    for mode in ("L", "RGB", "CMYK"):
        made[f"JPEG {mode.replace('L', 'grey')}"] = by_pillow(mode, "JPEG")
    for name in ("WebP", "AVIF"):
        for alpha in (False, True):
            label = f"{name} RGB{' + alpha' if alpha else ''}"
            made[label] = by_kakudai(name.lower(), 3, "uint8", alpha=alpha)
    made["AVIF 12-bit RGB"] = by_kakudai("avif", 3, "uint16", alpha=False)
    made["BMP RGB"] = by_pillow("RGB", "BMP")
    made["GIF"] = by_pillow("P", "GIF")
    return made


def mode_of(picture: Picture) -> str:
    """Return depth and mode, such as "16 RGB + A"."""
    depth = {"uint8": "8", "uint16": "16", "float32": "float"}[picture.color.dtype.name]
    return f"{depth} {'grey' if picture.channels == 1 else 'RGB'}{' + A' if picture.alpha is not None else ''}"


def cell(picture: Picture, name: str, sentences: list[str]) -> str:
    """Write, read back, and describe; new sentences are added to the list."""
    stream = io.BytesIO()
    notes = write_image(picture, stream, format=name)
    back = read_image(stream.getvalue())
    had, has = picture.metadata, back.metadata
    kept = ""
    same = {
        "i": had.icc == has.icc,
        "e": has.exif is not None,
        "x": had.xmp == has.xmp,
        "r": has.resolution is not None and np.allclose(had.resolution or 0, has.resolution, rtol=1e-3),
    }
    fields = {"i": had.icc, "e": had.exif, "x": had.xmp, "r": had.resolution}
    for letter, value in fields.items():
        kept += "." if value is None else letter if same[letter] else "-"
    return f"{mode_of(back)} `{kept}`{marks(notes, sentences)}"


def marks(notes: tuple[str, ...], sentences: list[str]) -> str:
    """Return the numbers of sentences, adding those not seen before."""
    for note in notes:
        if note not in sentences:
            sentences.append(note)
    numbers = ", ".join(str(sentences.index(note) + 1) for note in notes)
    return f" ({numbers})" if numbers else ""


def page() -> str:
    """Return the whole page."""
    names = output_formats()
    sentences: list[str] = []
    lines = ["| input | read as | " + " | ".join(FORMATS[name].title for name in names) + " |"]
    lines.append("|---" * (len(names) + 2) + "|")
    for label, data in inputs().items():
        picture = read_image(data)
        cells = [cell(picture, name, sentences) for name in names]
        lines.append(
            f"| {label} | {mode_of(picture)}{marks(picture.metadata.notes, sentences)} | {' | '.join(cells)} |"
        )
    told = [f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1)]
    return (
        INTRODUCTION
        + "\n".join([*lines, "", *told, "", ANIMATIONS + "## What each format can hold", "", *limits()])
        + "\n"
    )


def limits() -> list[str]:
    """Return the table of formats as `image/formats.py` holds it."""
    heads = ("format", "extensions", "read by", "written by", "bits", "alpha", "grey", "largest side", "quality")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for entry in FORMATS.values():
        out = bool(entry.saver)
        row = [
            entry.title, " ".join(entry.extensions),
            READ_BY.get(entry.name, "libvips"), WRITTEN_BY.get(entry.name, "libvips") if out else "no",
            " ".join(map(str, entry.depths)) if out else "", ("no", "yes")[entry.alpha] if out else "",
            ("no", "yes")[entry.grey] if out else "", str(entry.max_side or "") if out else "",
            str(entry.quality or ("256 colours" if entry.name == "gif" else "lossless")) if out else "",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(row)} |")
    return lines


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
