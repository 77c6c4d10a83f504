"""Which pictures, and where each result goes: decided for all of them before any work is done."""

import glob
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kakudai.errors import KakudaiError, OutputExists, PictureNotFound, UsageError

OnExists = Literal["error", "skip", "overwrite", "rename"]
STREAM = "-"


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that was named or found.

    Args:
        path: Its path, or "-" for standard input.
        below: Its folder relative to the folder that was named; the tree is kept in the output.
    """

    path: Path
    below: Path = Path()


@dataclass(frozen=True, slots=True)
class Assignment:
    """One picture with its target, or the reason why it has none.

    Args:
        source: A path, or "-".
        target: A path, or "-"; None where there is an error or the picture is skipped.
        error: Why nothing can be done.
        skipped: The target exists and `--on-exists skip` was given.
        note: What the user should know before, or nothing.
    """

    source: Path
    target: Path | None
    error: KakudaiError | None = None
    skipped: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Naming:
    """How targets are named.

    Args:
        output: What -o says: a file, a folder, "-", or None for beside the input.
        label: Goes behind the name of a result that lies beside its input, such as "2x".
        extension: With its dot; None keeps the input's where that format can be written.
        writable: Extensions that can be written, with their dots.
        on_exists: What happens where there is a file already.
    """

    output: str | None
    label: str
    extension: str | None
    writable: frozenset[str]
    on_exists: OnExists


def find_pictures(words: list[str], extensions: frozenset[str], *, recursive: bool) -> Iterator[Found | KakudaiError]:
    """Expand files, folders, patterns and "-" into pictures, in a stable order, each once.

    Files that are named are always taken; in folders only those whose extension is one of pictures.
    """
    seen: set[Path] = set()
    for word in words:
        for found in _expand(word, extensions, recursive):
            key = found.path.resolve() if isinstance(found, Found) else None
            if key is None or key not in seen:
                yield found
            if key is not None:
                seen.add(key)


def _expand(word: str, extensions: frozenset[str], recursive: bool) -> Iterator[Found | KakudaiError]:
    path = Path(word)
    if word == STREAM or path.is_file():
        yield Found(path)
    elif path.is_dir():
        pattern = path.rglob("*") if recursive else path.iterdir()
        files = sorted(
            p for p in pattern if p.suffix.lower() in extensions and p.is_file() and not p.name.startswith(".")
        )
        if not files:
            hint = "name another folder" if recursive else "use -r to look into the folders below"
            yield PictureNotFound(f"no pictures in {word}", hint)
        yield from (Found(file, file.parent.relative_to(path)) for file in files)
    elif glob.has_magic(word) and not path.exists():
        names = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - takes absolute patterns too
        if not names:
            yield PictureNotFound(f"no file matches {word}", "check the pattern, or quote it for the shell")
        for name in names:
            yield from _expand(glob.escape(name) if not Path(name).exists() else name, extensions, recursive)
    else:
        yield Found(path)


def assign_targets(found: list[Found], naming: Naming) -> Iterator[Assignment]:
    """Give each picture its target; two pictures never get the same one, and none its own input.

    Raises:
        UsageError: Several pictures are to go into one file or into standard output.
    """
    folder = _output_folder(found, naming)
    sources = {picture.path.resolve() for picture in found}
    taken: dict[Path, Path] = {}
    for picture in found:
        target, note = _target(picture, naming, folder, sources)
        yield _settle(picture.path, target, note, naming.on_exists, taken)


def _output_folder(found: list[Found], naming: Naming) -> Path | None:
    """Return the folder that -o names, or None where it names a file, a stream or nothing."""
    if naming.output in (None, STREAM):
        if naming.output == STREAM and len(found) > 1:
            raise UsageError(f"{len(found)} pictures cannot go to standard output", "name a folder with -o")
        return None
    path = Path(str(naming.output))
    several = len(found) > 1 or any(picture.below != Path() for picture in found)
    if path.is_dir() or str(naming.output).endswith(("/", "\\")) or (several and not path.suffix):
        return path
    if several:
        raise UsageError(f"{len(found)} pictures cannot go into one file {path}", "name a folder with -o")
    return None


def _target(picture: Found, naming: Naming, folder: Path | None, sources: set[Path]) -> tuple[Path, str]:
    """Name the target of one picture, and say where its format had to change."""
    if naming.output is not None and folder is None:
        return Path(naming.output), ""
    extension, note = naming.extension or picture.path.suffix, ""
    if extension.lower() not in naming.writable:
        if picture.path != Path(STREAM) and extension:
            note = f"{extension[1:]} files are not written, the result is a PNG"
        extension = ".png"
    stem = "stdin" if picture.path == Path(STREAM) else picture.path.stem
    labelled = f"{stem}_{naming.label}{extension}"
    if folder is None:
        return (Path(labelled) if picture.path == Path(STREAM) else picture.path.with_name(labelled)), note
    target = folder / picture.below / f"{stem}{extension}"
    return (target.with_name(labelled) if target.resolve() in sources else target), note


def _settle(source: Path, target: Path, note: str, on_exists: OnExists, taken: dict[Path, Path]) -> Assignment:
    """Decide what happens where a target exists, or was given away already."""
    if target == Path(STREAM):
        return Assignment(source, target, note=note)
    key = target.resolve()
    if key in taken and on_exists != "rename":
        error = OutputExists(
            f"{target} is the result of {taken[key]} already",
            "use --on-exists rename, or another folder for one of them",
        )
        return Assignment(source, None, error)
    if key == source.resolve():
        return Assignment(source, None, OutputExists(f"{target} is the input itself", "name another file with -o"))
    exists = target.exists() and not _is_stream_file(target)
    if exists and on_exists == "skip":
        return Assignment(source, None, skipped=True, note=f"{target} exists")
    if exists and on_exists == "error":
        return Assignment(source, None, OutputExists(f"{target} exists", "use --on-exists skip, overwrite or rename"))
    if on_exists == "rename":
        number = 1
        while target.exists() or target.resolve() in taken:
            target = target.with_name(f"{key.stem}-{number}{key.suffix}")
            number += 1
    taken[target.resolve()] = source
    return Assignment(source, target, note=note)


def _is_stream_file(path: Path) -> bool:
    """Say whether a path is a pipe or a device, which exists by nature."""
    return not path.is_file()


def read_standard_input() -> bytes:
    """Return all of standard input.

    Raises:
        UsageError: It is a terminal.
    """
    if sys.stdin.isatty():
        raise UsageError(
            "standard input is a terminal", "pipe a picture into it: cat photo.jpg | kakudai - -o large.png"
        )
    return sys.stdin.buffer.read()
