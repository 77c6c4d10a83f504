"""Which pictures, where some are in buckets: objects and all that is below a prefix, files and folders."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kakudai.cli.inputs import STREAM, Found, Wanted, find_pictures, key_of
from kakudai.cli.patterns import Patterns
from kakudai.errors import KakudaiError, PictureError, PictureNotFound, PictureUnreadable, UsageError
from kakudai.jobs.address import is_address, is_bucket, is_plain, lies_in, understood
from kakudai.jobs.sides import Sides


@dataclass(frozen=True, slots=True)
class Item:
    """A picture that was named or found.

    Args:
        name: Path or address.
        root: The folder or prefix that was named and in which it was found; None where it was named itself.
        below: Its folder relative to that, with slashes; empty where it lies in it, or was named itself.
    """

    name: str
    root: str | None = None
    below: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A picture that is not done, or a word that leads to none.

    Args:
        name: Path, address or word.
        error: Why nothing can be done; None where there is nothing to do.
        note: Why not, or what else the user should know.
        is_result: It is no picture to be done, but the result of one.
        is_no_picture: It is a word that leads to none, of which a manifest knows nothing.
    """

    name: str
    error: KakudaiError | None = None
    note: str = ""
    is_result: bool = False
    is_no_picture: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Args:
        extensions: That pictures in folders have, with their dots.
        patterns: That their paths below the folder have to fit.
        recursive: Look below folders, too.
        output: The folder or prefix of the results, which is left out; None where there is none.
    """

    extensions: frozenset[str]
    patterns: Patterns
    recursive: bool
    output: str | None


def find_items(words: list[str], search: Search, sides: Sides) -> Iterator[Item | Refused]:
    """Expand files, folders, patterns, objects and prefixes into pictures, in a stable order, each once.

    What `find_pictures` says of hidden files, tiles and endings holds for objects.

    Raises:
        UsageError: Standard input is among them, or a protocol cannot be used.
    """
    if STREAM in words:
        raise UsageError("standard input and buckets do not go together", "write the picture into a file first")
    seen: set[object] = set()
    unused = set(search.patterns.named)
    for word in map(understood, words):
        for found in _in_bucket(word, search, unused, sides) if is_address(word) else _here(word, search, unused):
            if isinstance(found, Refused):
                yield found
            elif (key := found.name if is_address(found.name) else key_of(Path(found.name))) not in seen:
                seen.add(key)
                yield found
    for option, pattern in sorted(unused):
        note = "it fits no picture; patterns are about paths below the folder, and those of folders end in a slash"
        yield Refused(f"{option} {pattern}", note=note, is_no_picture=True)


def _here(word: str, search: Search, unused: set[tuple[str, str]]) -> Iterator[Item | Refused]:
    """Find files, without those in an output folder inside."""
    fitting: set[tuple[str, str]] = set()
    output = None if search.output is None or is_address(search.output) else key_of(Path(search.output))
    found_here = find_pictures([word], search.extensions, recursive=search.recursive, patterns=search.patterns)
    for found in found_here:
        if not isinstance(found, Found):
            if found.error is not None:  # else it is about patterns, which are said for all words together
                yield Refused(str(found.source), found.error, is_no_picture=True)
        elif found.root is not None and _is_in_output(found, output):
            yield Refused(str(found.path), note="it lies in the output folder", is_result=True)
        else:
            if found.root is not None:
                fitting |= search.patterns.fitting(found.path.relative_to(found.root))
            below = found.below.as_posix()
            yield Item(str(found.path), None if found.root is None else str(found.root), "" if below == "." else below)
    unused -= fitting


def _is_in_output(found: Found, output: Path | None) -> bool:
    return output is not None and output != key_of(found.root or Path()) and key_of(found.path).is_relative_to(output)


def _in_bucket(word: str, search: Search, unused: set[tuple[str, str]], sides: Sides) -> Iterator[Item | Refused]:
    """Find an object of that address, else all below it."""
    try:
        if not is_bucket(word) and sides.state(word) is not None:
            if not is_plain(word.rpartition("/")[2]):
                raise PictureUnreadable(f"{word} has a name that no file can have", "copy it under another name")
            yield Item(word)
            return
        yield from _below(word, search, unused, sides)
    except UsageError:
        raise
    except KakudaiError as error:
        yield Refused(word, error, is_no_picture=True)


def _below(prefix: str, search: Search, unused: set[tuple[str, str]], sides: Sides) -> Iterator[Item | Refused]:
    wanted = Wanted(search.extensions, search.patterns, search.recursive, unused)
    names = [name[len(prefix) + 1 :] for name in sides.below(prefix, recursive=search.recursive)]
    zooms = tuple(f"{name[:-4]}_files/" for name in names if name.lower().endswith(".dzi"))
    any_found = False
    for name in names:
        whole = f"{prefix}/{name}"
        if not search.recursive and "/" in name:
            continue
        if not is_plain(name) or name.startswith(zooms) or not wanted.take(Path(name)):
            continue
        any_found = True
        if search.output not in (None, prefix) and lies_in(whole, str(search.output)):
            yield Refused(whole, note="it lies in the output folder", is_result=True)
        else:
            below = PurePosixPath(name).parent.as_posix()
            yield Item(whole, prefix, "" if below == "." else below)
    if not any_found:
        yield Refused(prefix, _nothing(prefix, names, search), is_no_picture=True)


def _nothing(prefix: str, names: list[str], search: Search) -> PictureError:
    """Say that there are no pictures, and why that may be."""
    if search.patterns.named:
        hint = "check --include and --exclude, which are about paths below that prefix"
    elif "*" in prefix or "?" in prefix:
        hint = "name the prefix, and the pattern with --include"
    elif search.recursive or not names:
        hint = "check the address; there is no such object, and nothing below it that has the ending of a picture"
    else:
        hint = "use -r to look into the prefixes below"
    return PictureNotFound(f"no pictures in {prefix}/", hint)
