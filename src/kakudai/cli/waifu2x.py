"""`kakudai waifu2x`: the words of waifu2x-ncnn-vulkan, of nunif and of the original, for scripts that have them."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from kakudai.cli.assigning import Naming, assign_targets
from kakudai.cli.batch import Batch
from kakudai.cli.endings import extension_of, readable_extensions, writable_extensions
from kakudai.cli.inputs import Assignment, Found, find_pictures
from kakudai.cli.results import Results
from kakudai.cli.wishes import check_options
from kakudai.errors import OutputExists, PictureNotFound, UsageError
from kakudai.jobs.address import refuse_addresses

METHODS = {
    "noise": (True, 1.0),
    "scale": (False, None),
    "scale2x": (False, 2.0),
    "scale4x": (False, 4.0),
    "noise_scale": (True, None),
    "noise_scale2x": (True, 2.0),
    "noise_scale4x": (True, 4.0),
}
"""Method -> whether it removes noise, and how much it enlarges; None is what --scale says."""

DEFAULT_FOLDER = "models-cunet"
"""Where waifu2x-ncnn-vulkan looks for networks unless it is told."""

WHY = {
    "-g": "pictures are enlarged by the processor; kakudai upscale --device cuda takes the first GPU",
    "-j": "reading, enlarging and writing always overlap; --threads says how many processors are used",
    "--batch-size": "tiles run side by side",
    "--image-lib": "all formats keep their depth",
    "-force_cudnn": "cuDNN is used where a GPU is",
    "-y": "files that are there are overwritten anyway",
    "-v": "every picture is told anyway",
}
"""What is said of options that are taken and mean nothing."""

LISTS = (".txt", ".csv")

SWITCHES = ("--tta", "--resume", "--force-cudnn")
"""The original gives these a value, 0 or 1."""

LONG = re.compile(r"--?[a-z][a-z0-9]+[_-][a-z0-9_-]+|-(?:scale|depth|tta|resume|thread|gpu)")
"""Options of the original are long and have one hyphen; other programs write them with underscores."""


def understood(words: list[str]) -> list[str]:
    """Bring the spellings of several programs to one: `-noise_level 1` is `--noise-level 1`, `-tta 1` is `--tta`.

    Whoever writes as the original does gets its default noise level, which is 1.
    """
    result: list[str] = []
    todo = list(words)
    original = any(re.fullmatch(LONG, word) and not word.startswith("--") for word in words)
    while todo:
        word = todo.pop(0)
        if LONG.fullmatch(word):
            word = "--" + word.lstrip("-").replace("_", "-")
        if word in SWITCHES and todo[:1] in (["0"], ["1"]):
            result += [word] if todo.pop(0) == "1" else []
            continue
        result.append(word)
        if word in ("-g", "--gpu") and todo:
            result.append(todo.pop(0))
            while todo and todo[0].isdecimal():
                todo.pop(0)
    if original and "--noise-level" not in result:
        result += ["--noise-level", "1"]
    return result


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, in kakudai's words.

    Args:
        scale: Enlargement.
        denoise: 0 to 100, or "auto" where the model decides.
        model: Name or path.
        notes: What is done otherwise than the words say.
    """

    scale: float
    denoise: int | Literal["auto"]
    model: str
    notes: tuple[str, ...] = ()


def waifu2x(
    inputs: Annotated[
        list[str] | None, typer.Option("-i", "--input", help="Picture, folder, or list of pictures (.txt, .csv).")
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="File or folder; %s is the name, %d the number of a picture.")
    ] = None,
    noise_level: Annotated[int | None, typer.Option("-n", "--noise-level", help="-1 for none, 0, 1, 2 or 3.")] = None,
    scale: Annotated[float | None, typer.Option("-s", "--scale", "--scale-ratio", help="1 to 16.")] = None,
    tile_size: Annotated[
        str, typer.Option("-t", "--tile-size", "--crop-size", help="0 for auto, or pixels from 32.")
    ] = "0",
    model_or_method: Annotated[
        str | None, typer.Option("-m", help="Folder of networks, or model; or one of the methods.")
    ] = None,
    model_path: Annotated[
        str | None, typer.Option("--model-dir", "--model-path", help="Folder of networks, or model.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", "--mode", help="noise, scale or noise_scale; also with 2x or 4x behind.")
    ] = None,
    style: Annotated[str | None, typer.Option(help="art, art_scan or photo: which folder below -m.")] = None,
    tta: Annotated[bool, typer.Option("-x", "--tta", help="Mean over eight ways to lay the picture.")] = False,
    tta_level: Annotated[int, typer.Option(help="2, 4 or 8 ways.")] = 8,
    format: Annotated[  # noqa: A002 - the word of the command line
        str | None, typer.Option("-f", "--format", help="Of pictures in folders: png, jpg or webp.")
    ] = None,
    depth: Annotated[int | None, typer.Option(help="8 or 16 bits; else as the input.")] = None,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Look into folders below.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Skip what is there already.")] = False,
    listed: Annotated[str | None, typer.Option("-l", help="File with the path of a picture in each line.")] = None,
    threads: Annotated[int | None, typer.Option("--thread", "--threads", help="Processor threads.")] = None,
    gpu: Annotated[str | None, typer.Option("-g", "--gpu", help="Taken, and without meaning.")] = None,
    jobs: Annotated[str | None, typer.Option("-j", help="Taken, and without meaning.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Taken, and without meaning.")] = None,
    image_lib: Annotated[str | None, typer.Option(help="Taken, and without meaning.")] = None,
    disable_amp: Annotated[bool, typer.Option("--disable-amp", help="Compute in float32.")] = False,
    force_cudnn: Annotated[bool, typer.Option("--force-cudnn", help="Taken, and without meaning.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Taken, and without meaning.")] = False,
    verbose: Annotated[bool, typer.Option("-v", help="Taken, and without meaning.")] = False,
) -> int:
    """Do what waifu2x does, in its own words.

    Takes the options of waifu2x-ncnn-vulkan, of nunif's waifu2x.cli and of the original waifu2x.lua, with their
    defaults: twice, noise level 0, networks from models-cunet, and files that are there are overwritten. Pictures in
    folders become PNG files.

    Example: kakudai waifu2x -i small.png -o large.png -n 1 -s 2 -m models-cunet
    """
    from kakudai.engine.job import FileOptions
    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.formats import find_output_format

    if model_or_method in METHODS and not Path(model_or_method).exists():
        method = method or model_or_method
    else:
        model_path = model_path or model_or_method
    style = "art_scan" if style == "scan" else style
    order = make_order(method, noise_level, scale, model_path, style=style)
    found = list(pictures(inputs, listed, recursive=recursive))
    refuse_addresses("waifu2x", output)
    single = output is not None and not _is_folder(output, inputs, listed)
    ends = single and (format is None or Path(str(output)).suffix)
    kind = None if ends else find_output_format(format or "png").name
    options = FileOptions(kind, depth=depth, still=True)
    check_options(options, "overwrite", as_json=False, output=None)
    with Upscaler(
        order.scale, model=order.model, denoise=order.denoise, style=style, tile=parse_tile_size(tile_size),
        precision="float32" if disable_amp else "auto",
        tta=tta_level if tta else 1, threads=threads,
    ) as upscaler:  # fmt: skip
        results = Results(as_json=False, quiet=False)
        batch = Batch(upscaler, options, results, fail_fast=False)
        meaningless = {
            "-g": gpu not in (None, "-1"), "-j": jobs, "--batch-size": batch_size, "--image-lib": image_lib,
            "-force_cudnn": force_cudnn, "-y": yes, "-v": verbose,
        }  # fmt: skip
        results.note([*order.notes, *upscaler.notes])
        results.note(f"{word} means nothing here: {WHY[word]}" for word, given in meaningless.items() if given)
        naming = Naming(
            output if single else f"{output}/" if output else None, _label(method, order), extension_of(kind),
            writable_extensions(), "skip" if resume else "overwrite",
        )  # fmt: skip
        assignments = [problem for problem in found if isinstance(problem, Assignment)]
        assignments += assigned([picture for picture in found if isinstance(picture, Found)], naming)
        batch.refuse(assignments)
        return batch.run(assignments)


def make_order(
    method: str | None, level: int | None, scale: float | None, model: str | None, *, style: str | None = None
) -> Order:
    """Put method, noise level and scale together.

    Raises:
        UsageError: They are not known, or noise is to be removed and there is no network for it.
    """
    from kakudai.engine.loading import load_model
    from kakudai.models.catalogue import is_folder
    from kakudai.models.family import find_family
    from kakudai.models.runs import is_run
    from kakudai.models.shipped import WORDS

    if level is not None and level not in range(-1, 4):
        raise UsageError(f"the noise level is {level}", "accepted are -1 for none, 0, 1, 2 and 3")
    if style not in (None, "art", "art_scan", "photo"):
        raise UsageError(f"the style is {style!r}", "accepted are art, art_scan and photo")
    removes, factor = True, None
    if method is not None:
        if method.replace("-", "_") not in METHODS:
            raise UsageError(f"no method is called {method!r}", f"accepted are {', '.join(METHODS)}")
        removes, factor = METHODS[method.replace("-", "_")]
    scale = factor or (2.0 if scale is None else scale)
    removes = removes and level != -1
    folder = model or (DEFAULT_FOLDER if Path(DEFAULT_FOLDER).is_dir() else None)
    denoise = 25 * ((level or 0) + 1) if removes else 0
    if folder is None:
        return _own_networks(scale, style, denoise, chosen=level is not None or scale == 1)
    alone = not is_folder(folder) or is_run(Path(folder))
    if removes and scale == 1 and alone and folder not in WORDS and not load_model(folder).takes_strength:
        return Order(scale, "auto", folder)  # a file for one level, which has no other
    if not removes or level is not None or scale == 1:
        return Order(scale, denoise, folder)
    if alone:
        return Order(scale, "auto", folder, (f"{folder} is one network: noise stays unless that removes it",))
    if not find_family(Path(folder), style).levels:
        return Order(scale, "auto", folder, (f"{folder} has no network that removes noise, and noise stays",))
    return Order(scale, denoise, folder)


def _own_networks(scale: float, style: str | None, denoise: int, *, chosen: bool) -> Order:
    """Use what is shipped. A level that nobody has chosen is left to the picture.

    Raises:
        UsageError: Noise is to be removed, and nothing that does is shipped.
    """
    from kakudai.models.shipped import STYLES, restores

    word = {None: "auto", "art_scan": "art"}.get(style, style) or "auto"
    note = f"there is no folder {DEFAULT_FOLDER} here: kakudai's own networks are used"
    if not denoise:
        return Order(scale, 0, word, (note,))
    if any(restores(known) for known in STYLES if word in ("auto", known)):
        return Order(scale, denoise if chosen else "auto", word, (note,))
    if chosen:
        raise UsageError(
            f"no networks that remove noise are known: there is no folder {DEFAULT_FOLDER} here",
            "name a folder of waifu2x networks with -m, or leave noise in with -n -1",
        )
    return Order(scale, 0, word, (f"{note}, and noise stays",))


def pictures(inputs: list[str] | None, listed: str | None, *, recursive: bool) -> Iterator[Found | Assignment]:
    """Find the pictures that -i and -l name; a list names one in each line, or in the first column.

    Raises:
        UsageError: Neither is given.
        PictureNotFound: A list cannot be read.
    """
    if not inputs and listed is None:
        raise UsageError("there is no input", "name a picture or a folder with -i")
    words: list[str] = []
    for word in [*(inputs or []), *([listed] if listed else [])]:
        if word != listed and Path(word).suffix.lower() not in LISTS:
            words.append(word)
            continue
        try:
            with Path(word).open(encoding="utf-8", newline="") as file:
                words += [row[0] for row in csv.reader(file) if row and row[0]]
        except (OSError, ValueError, csv.Error) as error:
            raise PictureNotFound(f"the list {word} cannot be read: {error}", "give a text file of paths") from error
    yield from find_pictures(words, readable_extensions(), recursive=recursive)


def assigned(found: list[Found], naming: Naming) -> Iterator[Assignment]:
    """Give each picture its target; see `assign_targets`. A template names each by itself."""
    template = naming.output or ""
    if not re.search(r"%(?:s|\d*d)", template):
        yield from assign_targets(found, naming)
        return
    taken: dict[str, Path] = {}
    for number, picture in enumerate(found, 1):
        name = _filled(template.rstrip("/"), picture.path.stem, number)
        if name in taken:
            hint = "put %s for the name, or %d for the number, into -o"
            error = OutputExists(f"{name} is the result of {taken[name]} already", hint)
            yield Assignment(picture.path, None, error)
            continue
        taken[name] = picture.path
        yield from assign_targets(
            [Found(picture.path)],
            Naming(name, naming.label, naming.extension, naming.writable, naming.on_exists),
        )


def _filled(template: str, stem: str, number: int) -> str:
    """Put a name and a number into a template such as frames/%s_%05d.png."""

    def value(match: re.Match[str]) -> str:
        width = match[1]
        if width is None:
            return stem
        return str(number).rjust(int(width or 0), "0" if width.startswith("0") else " ")

    return re.sub(r"%(?:s|(\d*)d)", value, template)


def _is_folder(output: str, inputs: list[str] | None, listed: str | None) -> bool:
    """Say whether -o names a folder, as waifu2x does: where it is one, or where the input is more than a picture."""
    if re.search(r"%(?:s|\d*d)", output):
        return False
    many = listed is not None or any(Path(word).is_dir() or Path(word).suffix.lower() in LISTS for word in inputs or [])
    return many or len(inputs or []) > 1 or output.endswith("/") or Path(output).is_dir()


def parse_tile_size(text: str) -> int | Literal["auto"]:
    """Read the tile of one GPU or of several ("400" or "0,0,0").

    Raises:
        UsageError: It is no number.
    """
    from kakudai.engine.memory import SMALLEST_TILE

    first = text.split(",", maxsplit=1)[0]
    if not first.isdecimal() or 0 < int(first) < SMALLEST_TILE:
        raise UsageError(f"the tile size is {text!r}", f"accepted are 0 for auto, and pixels from {SMALLEST_TILE}")
    return int(first) or "auto"


def _label(method: str | None, order: Order) -> str:
    """Return what goes behind the name of a result that lies beside its input: the method, as the original has it."""
    if method:
        return method
    return ("noise" if order.scale == 1 else "noise_scale") if order.denoise else "scale"
