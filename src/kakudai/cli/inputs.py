"""Which pictures, and where each result goes: decided for all of them before any work is done."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kakudai.errors import KakudaiError, OutputExists, PictureError, PictureNotFound, PictureUnreadable, UsageError

OnExists = Literal["error", "skip", "overwrite", "rename"]
STREAM = "-"
BOOKS = frozenset({".cbz", ".zip"})
"""Endings of books of pages, which stay books."""


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that was named or found.

    Args:
        path: Its path, or "-" for standard input.
        root: The folder that was named and in which it was found; None where it was named itself.
    """

    path: Path
    root: Path | None = None

    @property
    def below(self) -> Path:
        """Its folder relative to the one that was named; the tree is kept in the output."""
        return self.path.parent.relative_to(self.root) if self.root is not None else Path()


@dataclass(frozen=True, slots=True)
class Assignment:
    """One picture with its target, or the reason why it has none.

    Args:
        source: A path, or "-".
        target: A path, or "-"; None where there is an error or the picture is skipped.
        error: Why nothing can be done.
        skipped: There is nothing to do, for the reason in `note`.
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


def find_pictures(words: list[str], extensions: frozenset[str], *, recursive: bool) -> Iterator[Found | Assignment]:
    """Expand files, folders, patterns and "-" into pictures, in a stable order, each once.

    Files that are named are always taken; in folders only those whose extension is one of pictures, and none that is
    hidden or lies in a hidden folder. A word that leads to none becomes an assignment with an error.
    """
    seen: set[Path] = set()
    for word in words:
        for found in _expand(word, extensions, recursive):
            if isinstance(found, PictureError):
                yield Assignment(Path(word), None, found)
            elif (key := _key(found.path)) not in seen:
                seen.add(key)
                yield found


def _expand(word: str, extensions: frozenset[str], recursive: bool) -> Iterator[Found | PictureError]:
    path = Path(word)
    if not word:
        yield PictureNotFound("the name of a picture is empty", "check the quotes and variables of the command")
    elif word == STREAM or os.path.isfile(word):  # noqa: PTH113 - unlike Path's it never raises, whatever the name
        yield Found(path if word == STREAM else _file(path))
    elif os.path.isdir(word):  # noqa: PTH112
        yield from _in_folder(path, extensions, recursive)
    elif glob.has_magic(word) and not os.path.lexists(word):
        names = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - takes absolute patterns too
        if not names:
            yield PictureNotFound(f"no file matches {word}", "check the pattern, or quote it for the shell")
        for name in names:
            if os.path.lexists(name):  # it is none of a pattern's business what is gone by now
                yield from _expand(name, extensions, recursive)
    else:
        yield Found(path)


def _in_folder(folder: Path, extensions: frozenset[str], recursive: bool) -> Iterator[Found | PictureError]:
    try:
        paths = sorted(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        yield PictureUnreadable(f"{folder} cannot be looked into: {error.strerror}", "check its permissions")
        return
    found = [
        Found(path, folder)
        for path in paths
        if path.suffix.lower() in extensions
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and os.path.isfile(path)  # noqa: PTH113
    ]
    if not found:
        hint = "name another folder" if recursive else "use -r to look into the folders below"
        yield PictureNotFound(f"no pictures in {folder}", hint)
    yield from found


def _file(path: Path) -> Path:
    """Keep the file "./-" apart from "-", which `Path` writes the same."""
    return path.absolute() if path == Path(STREAM) else path


def _key(path: Path) -> Path:
    """Return what is the same for all names of a file, also where links run in a circle."""
    return Path(os.path.realpath(path))


def assign_targets(found: list[Found], naming: Naming) -> Iterator[Assignment]:
    """Give each picture its target; two pictures never get the same one, and no input is a target.

    In folders, results of pictures beside them and all of an output folder inside are left alone, so that a command
    can be given twice.

    Raises:
        UsageError: Several pictures are to go into one file or into standard output.
    """
    folder = _output_folder(found, naming)
    left_alone = {picture.path for picture in found if _is_in_output(picture, folder)}
    kept = [picture for picture in found if picture.path not in left_alone]
    sources = {_key(picture.path) for picture in kept}
    targets = {picture.path: _target(picture, naming, folder, sources) for picture in kept}
    owners = {_key(target): path for path, (target, _) in targets.items()}
    results = {p.path: owner for p in kept if p.root and (owner := owners.get(_key(p.path), p.path)) != p.path}
    sources -= {_key(path) for path in results}
    taken: dict[Path, Path] = {}
    for picture in found:
        if picture.path in left_alone:
            yield Assignment(picture.path, None, skipped=True, note="it lies in the output folder")
        elif picture.path in results:
            yield Assignment(picture.path, None, skipped=True, note=f"it is the result of {results[picture.path]}")
        else:
            yield _settle(picture.path, *targets[picture.path], naming.on_exists, taken=taken, sources=sources)


def _is_in_output(picture: Found, folder: Path | None) -> bool:
    """Say whether a picture was found in an output folder that lies inside the input folder."""
    if folder is None or picture.root is None:
        return False
    output, root = _key(folder), _key(picture.root)
    return output != root and output.is_relative_to(root) and _key(picture.path).is_relative_to(output)


def _output_folder(found: list[Found], naming: Naming) -> Path | None:
    """Return the folder that -o names, or None where it names a file, a stream or nothing."""
    if naming.output in (None, STREAM):
        if naming.output == STREAM and len(found) > 1:
            raise UsageError(f"{len(found)} pictures cannot go to standard output", "name a folder with -o")
        return None
    path = Path(str(naming.output))
    several = len(found) > 1 or any(picture.root is not None for picture in found)
    ends_as_folder = str(naming.output).endswith(("/", os.sep))
    if os.path.isdir(path) or ends_as_folder or (several and not path.suffix):  # noqa: PTH112
        return path
    if len(found) > 1:
        hint = f"name a folder with -o; a new one ends with /: -o {path}/"
        raise UsageError(f"{len(found)} pictures cannot go into one file {path}", hint)
    return None


def _target(picture: Found, naming: Naming, folder: Path | None, sources: set[Path]) -> tuple[Path, str]:
    """Name the target of one picture, and say where its format had to change."""
    if naming.output is not None and folder is None:
        return Path(naming.output) if naming.output == STREAM else _file(Path(naming.output)), ""
    extension, note = naming.extension or picture.path.suffix, ""
    if picture.path.suffix.lower() in BOOKS:
        extension = picture.path.suffix  # a format is that of its pages
    elif extension.lower() not in naming.writable:
        if picture.path != Path(STREAM) and extension:
            note = f"{extension[1:]} files are not written, the result is a PNG"
        extension = ".png"
    stem = "stdin" if picture.path == Path(STREAM) else picture.path.stem
    labelled = f"{stem}_{naming.label}{extension}"
    if folder is None:
        return (Path(labelled) if picture.path == Path(STREAM) else picture.path.with_name(labelled)), note
    target = folder / picture.below / f"{stem}{extension}"
    return (target.with_name(labelled) if _key(target) in sources else target), note


def _settle(
    source: Path, target: Path, note: str, on_exists: OnExists, *, taken: dict[Path, Path], sources: set[Path]
) -> Assignment:
    """Decide what happens where a target exists, is an input, or was given away already."""
    if target == Path(STREAM):
        return Assignment(source, target, note=note)
    key, exists = _key(target), os.path.isfile(target)  # noqa: PTH113 - pipes and devices exist by nature
    error = None
    if on_exists != "rename" and key in taken:
        hint = "use --on-exists rename, or another folder for one of them"
        error = OutputExists(f"{target} is the result of {taken[key]} already", hint)
    elif on_exists != "rename" and key == _key(source):
        error = OutputExists(f"{target} is the input itself", "name another file with -o")
    elif on_exists == "overwrite" and key in sources:
        error = OutputExists(f"{target} is an input too", "name a folder with -o")
    elif on_exists == "error" and exists:
        error = OutputExists(f"{target} exists", "use --on-exists skip, overwrite or rename")
    if error:
        return Assignment(source, None, error)
    if on_exists == "skip" and exists:
        return Assignment(source, None, skipped=True, note=f"{target} exists")
    if on_exists == "rename":
        number, name = 1, target
        while exists or os.path.isdir(target) or _key(target) in taken:  # noqa: PTH112
            target = name.with_name(f"{name.stem}-{number}{name.suffix}")
            number, exists = number + 1, os.path.isfile(target)  # noqa: PTH113
    taken[_key(target)] = source
    return Assignment(source, target, note=note)
