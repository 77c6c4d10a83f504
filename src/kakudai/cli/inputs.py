"""Which pictures: what files, folders, patterns and "-" stand for, found before any work is done."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from kakudai.cli.endings import readable_extensions
from kakudai.cli.patterns import Patterns
from kakudai.errors import KakudaiError, PictureError, PictureNotFound, PictureUnreadable
from kakudai.jobs.address import is_address, refuse_addresses

STREAM = "-"

EVERYTHING = Patterns()

MOST_LOOKED = 1000
"""Files below a folder without pictures that are looked at for a hint; `kakudai watch` comes here twice a second."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pictures of folders are taken.

    Args:
        extensions: That pictures have, with their dots.
        patterns: That their paths have to fit.
        recursive: Those of the folders below, too.
        unused: Patterns, with their options, that have fitted none so far; shortened.
    """

    extensions: frozenset[str]
    patterns: Patterns
    recursive: bool
    unused: set[tuple[str, str]]

    def take(self, path: Path) -> bool:
        """Say whether a picture is taken, by its path below the folder that was named."""
        if path.name.startswith(".") or path.suffix.lower() not in self.extensions:
            return False
        if self.unused:
            self.unused.difference_update(self.patterns.fitting(path))
        return self.patterns.take(path)


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
        is_result: It is skipped because it is no picture to be done, but the result of one.
        replaces: What is at the target is written over, whosever it is.
    """

    source: Path
    target: Path | None
    error: KakudaiError | None = None
    skipped: bool = False
    note: str = ""
    is_result: bool = False
    replaces: bool = False


def is_one_picture(words: list[str]) -> bool:
    """Say whether inputs are one picture that is named itself, here or in a bucket."""
    if len(words) != 1:
        return False
    if is_address(words[0]):
        return not words[0].endswith("/") and PurePosixPath(words[0]).suffix.lower() in readable_extensions()
    return Path(words[0]).is_file()


def find_pictures(
    words: list[str], extensions: frozenset[str], *, recursive: bool, patterns: Patterns = EVERYTHING
) -> Iterator[Found | Assignment]:
    """Expand files, folders, patterns and "-" into pictures, in a stable order, each once.

    Files that are named are always taken; in folders only those whose extension is one of pictures, and none that is
    hidden or lies in a hidden folder, nor tiles of a DeepZoom. Links to folders are not followed. A word that leads to
    none becomes an assignment with an error, and so does a folder that cannot be looked into.

    Args:
        words: As they were given.
        extensions: Of pictures, with their dots.
        recursive: Look into folders below folders.
        patterns: Which pictures of folders are taken.

    Raises:
        UsageError: A word is an address, which `kakudai.cli.bucket_inputs` finds.
    """
    refuse_addresses("", *words)
    seen: set[Path] = set()
    wanted = Wanted(extensions, patterns, recursive, set(patterns.named))
    for word in words:
        for found in _expand(word, wanted):
            if isinstance(found, PictureError):
                yield Assignment(Path(word), None, found)
            elif isinstance(found, Assignment):
                yield found
            elif (key := key_of(found.path)) not in seen:
                seen.add(key)
                yield found
    for option, pattern in sorted(wanted.unused):
        note = "it fits no picture; patterns are about paths below the folder, and those of folders end in a slash"
        yield Assignment(Path(f"{option} {pattern}"), None, note=note)


def _expand(word: str, wanted: Wanted) -> Iterator[Found | Assignment | PictureError]:
    path = Path(word)
    if not word:
        yield PictureNotFound("the name of a picture is empty", "check the quotes and variables of the command")
    elif word == STREAM or os.path.isfile(word):  # noqa: PTH113 - unlike Path's it never raises, whatever the name
        yield Found(path if word == STREAM else named_file(path))
    elif os.path.isdir(word):  # noqa: PTH112
        yield from _in_folder(path, wanted)
    elif glob.has_magic(word) and not os.path.lexists(word):
        names = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - takes absolute patterns too
        if not names:
            yield PictureNotFound(f"no file matches {word}", "check the pattern, or quote it for the shell")
        for name in names:
            if os.path.lexists(name):  # it is none of a pattern's business what is gone by now
                yield from _expand(name, wanted)
    else:
        yield Found(path)


def _in_folder(folder: Path, wanted: Wanted) -> Iterator[Found | Assignment | PictureError]:
    errors: list[OSError] = []
    paths = sorted(_files(folder, errors, recursive=wanted.recursive))
    found = [
        Found(path, folder)
        for path in paths
        if wanted.take(path.relative_to(folder)) and os.path.isfile(path)  # noqa: PTH113
    ]
    for error in errors:
        problem = PictureUnreadable(
            f"{error.filename} cannot be looked into: {error.strerror}", "check its permissions"
        )
        yield Assignment(Path(error.filename), None, problem)
    if not found and not errors:
        hint = "name another folder"
        if wanted.patterns != EVERYTHING:
            hint = "check --include and --exclude, which are about paths below that folder"
        elif any(
            wanted.take(path.relative_to(folder)) for path in islice(_files(folder, [], recursive=True), MOST_LOOKED)
        ):
            hint = "use -r to look into the folders below"
        yield PictureNotFound(f"no pictures in {folder}", hint)
    yield from found


def _files(folder: Path, errors: list[OSError], *, recursive: bool) -> Iterator[Path]:
    """Yield what lies in a folder, without hidden folders and tiles of a DeepZoom; errors are added to `errors`."""
    for place, folders, names in os.walk(folder, onerror=errors.append):
        zooms = {f"{name[:-4]}_files" for name in names if name.lower().endswith(".dzi")}
        folders[:] = [name for name in folders if recursive and not name.startswith(".") and name not in zooms]
        yield from (Path(place, name) for name in names)


def named_file(path: Path) -> Path:
    """Keep the file "./-" apart from "-", which `Path` writes the same."""
    return path.absolute() if path == Path(STREAM) else path


def key_of(path: Path) -> Path:
    """Return what is the same for all names of a file, also where links run in a circle."""
    return Path(os.path.realpath(path))
