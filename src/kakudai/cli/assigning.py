"""Where each result goes: decided for all pictures before any work is done."""

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from kakudai.cli.inputs import STREAM, Assignment, Found, key_of, named_file
from kakudai.cli.template import Template
from kakudai.errors import OutputExists, UsageError
from kakudai.image.formats import BOOKS
from kakudai.jobs.ledger import Ledger

OnExists = Literal["error", "skip", "overwrite", "rename"]


@dataclass(frozen=True, slots=True)
class Naming:
    """How targets are named.

    Args:
        output: What -o says: a file, a folder, "-", or None for beside the input.
        label: Goes behind the name of a result that lies beside its input, such as "2x".
        extension: With its dot; None keeps the input's where that format can be written.
        writable: Extensions that can be written, with their dots.
        on_exists: What happens where there is a file already.
        template: How results are called, other than so.
    """

    output: str | None
    label: str
    extension: str | None
    writable: frozenset[str]
    on_exists: OnExists
    template: Template | None = None


def assign_targets(
    found: list[Found], naming: Naming, ledger: Ledger[Path] | None = None, manifest: Path | None = None
) -> Iterator[Assignment]:
    """Give each picture its target; two pictures never get the same one, and no input is a target.

    In folders, results of pictures beside them and all of an output folder inside are left alone, so that a command
    can be given twice.

    Args:
        found: The pictures.
        naming: How targets are named.
        ledger: What the manifest knows: which files are results of earlier runs. They may be written over, but only by
            new results of the same picture.
        manifest: Where it is: no target.

    Raises:
        UsageError: Several pictures are to go into one file or into standard output.
    """
    folder = output_folder(found, naming)
    left_alone = _in_output(found, folder)
    origins = _origins(found, ledger) if ledger is not None else {}
    kept = [picture for picture in found if picture.path not in left_alone and picture.path not in origins]
    sources = {key_of(picture.path) for picture in kept}
    targets = {picture.path: _target(picture, naming, folder, sources) for picture in kept}
    owners = {key_of(target): path for path, (target, _) in targets.items()}
    results = {p.path: owner for p in kept if p.root and (owner := owners.get(key_of(p.path), p.path)) != p.path}
    sources -= {key_of(path) for path in results}
    results |= origins
    given = Given({}, set(), ledger, folds=folds(folder or (kept[0].path.parent if kept else Path())))
    given.sources.update(given.fold(path) for path in sources)
    if manifest is not None:
        given.manifests.add(given.key(manifest))
    if ledger is not None:
        given.taken.update({given.key(target): p.path for p in kept for target in ledger.targets(p.path)})
    for picture in found:
        if picture.path in left_alone:
            note = "it lies in the output folder"
            yield Assignment(picture.path, None, skipped=True, note=note, is_result=True)
        elif picture.path in results:
            note = f"it is the result of {results[picture.path]}"
            yield Assignment(picture.path, None, skipped=True, note=note, is_result=True)
        else:
            yield _settle(picture.path, *targets[picture.path], naming.on_exists, given=given)


def _origins(found: list[Found], ledger: Ledger[Path]) -> dict[Path, Path]:
    """Return the pictures that were found in folders and that an earlier run has made, with what they are made of."""
    made = {picture.path: ledger.origin(picture.path) for picture in found if picture.root is not None}
    return {path: origin for path, origin in made.items() if origin is not None}


def _in_output(found: list[Found], folder: Path | None) -> set[Path]:
    """Return the pictures that were found in an output folder that lies inside the input folder."""
    if folder is None:
        return set()
    output, roots = key_of(folder), {picture.root for picture in found if picture.root is not None}
    around = {root for root in roots if (key := key_of(root)) != output and output.is_relative_to(key)}
    return {one.path for one in found if one.root in around and key_of(one.path).is_relative_to(output)}


def folds(folder: Path) -> bool:
    """Say whether a disk takes names for one that differ in upper and lower case alone, by names that are there."""
    place = key_of(folder)
    while not place.is_dir():
        place = place.parent
    try:
        names = [place / entry.name for entry in os.scandir(place)]
    except OSError:
        names = []
    for path in (*names, place):
        other = path.with_name(path.name.swapcase()) if path.name else path
        if other != path:
            return os.path.lexists(other) and os.path.samestat(os.lstat(path), os.lstat(other))
    return False


def folded(name: str) -> str:
    """Return what is the same for all spellings of a name on a disk that folds."""
    return unicodedata.normalize("NFC", name).casefold()


def output_folder(found: list[Found], naming: Naming) -> Path | None:
    """Return the folder that -o names, or None where it names a file, a stream or nothing.

    Raises:
        UsageError: Several pictures are to go into one file or into standard output.
    """
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
        if naming.template is not None:
            raise UsageError(f"--name and -o {naming.output} both name a file", "let -o be a folder: with its /")
        return Path(naming.output) if naming.output == STREAM else named_file(Path(naming.output)), ""
    is_stream = picture.path == Path(STREAM)
    plain, labelled, note = result_names(Path("stdin") if is_stream else picture.path, naming)
    if naming.template is not None:
        return (picture.path.parent if folder is None else folder / picture.below) / plain, note
    if folder is None:
        return (Path(labelled) if is_stream else picture.path.with_name(labelled)), note
    target = folder / picture.below / plain
    return (target.with_name(labelled) if key_of(target) in sources else target), note


def result_names(picture: PurePath, naming: Naming) -> tuple[str, str, str]:
    """Return what a result is called in a folder of its own, what beside its input, and where its format had to change.

    With a template both names are what that says, which may lead into a folder.
    """
    extension, note = naming.extension or picture.suffix, ""
    if picture.suffix.lower() in BOOKS:
        extension = picture.suffix  # a format is that of its pages
    elif extension.lower() not in naming.writable:
        if extension:
            note = f"{extension[1:]} files are not written, the result is a PNG"
        extension = ".png"
    if naming.template is not None:
        name = naming.template.fill(picture.stem, extension)
        return name, name, note
    return f"{picture.stem}{extension}", f"{picture.stem}_{naming.label}{extension}", note


@dataclass(frozen=True, slots=True)
class Given:
    """What may not be given to a picture as its target.

    Args:
        taken: Targets and results of others, and whose they are; lengthened.
        sources: Inputs.
        ledger: What the manifest knows, if there is one.
        folds: The disk takes names for one that differ in upper and lower case alone, and in how accents are written.
        manifests: Where the manifest is, if there is one.
        numbers: Name -> the first number behind it that may be free; for `--on-exists rename`.
    """

    taken: dict[Path, Path]
    sources: set[Path]
    ledger: Ledger[Path] | None
    folds: bool
    manifests: set[Path] = field(default_factory=set)
    numbers: dict[Path, int] = field(default_factory=dict)

    def key(self, path: Path) -> Path:
        """Return what is the same for all names of a file on this disk."""
        return self.fold(key_of(path))

    def fold(self, key: Path) -> Path:
        """Return what is the same for all spellings of a name on this disk."""
        return Path(folded(str(key))) if self.folds else key

    def exists(self, source: Path, target: Path) -> bool:
        """Say whether a target is a file that is not ours, or is an input; pipes and devices exist by nature."""
        if not os.path.isfile(target):  # noqa: PTH113
            return False
        return self.ledger is None or self.key(target) in self.sources or not self.ledger.owns(source, target)

    def owner(self, source: Path, target: Path) -> Path | None:
        """Return the other picture that a target is the result of, if there is one."""
        owner = self.taken.get(self.key(target), source)
        return owner if owner != source else None

    def is_free(self, source: Path, target: Path) -> bool:
        """Say whether nothing at all is where a result is to appear but an earlier one of the same picture."""
        taken = self.owner(source, target) is not None or self.key(target) in self.manifests
        return not (taken or os.path.isdir(target) or self.exists(source, target))  # noqa: PTH112

    def number(self, source: Path, name: Path) -> int | None:
        """Return the number behind a name that an earlier result of a picture has; None if there is none."""
        results = [] if self.ledger is None else self.ledger.targets(source)
        here = [result for result in results if key_of(result.parent) == key_of(name.parent)]
        numbers = [int(found[1] or 0) for result in here if (found := _numbering(name).fullmatch(result.name))]
        return min(numbers, default=None)


def _settle(source: Path, target: Path, note: str, on_exists: OnExists, *, given: Given) -> Assignment:
    """Decide what happens where a target exists, is an input, or was given away already."""
    if target == Path(STREAM):
        return Assignment(source, target, note=note)
    error = None if on_exists == "rename" else _objection(source, target, on_exists, given)
    if error:
        return Assignment(source, None, error)
    if on_exists == "skip" and given.exists(source, target):
        return Assignment(source, None, skipped=True, note=f"{target} exists")
    if on_exists == "rename":
        target = _renamed(source, target, given)
    given.taken[given.key(target)] = source
    return Assignment(source, target, note=note, replaces=on_exists == "overwrite")


def _objection(source: Path, target: Path, on_exists: OnExists, given: Given) -> OutputExists | None:
    """Return why a target cannot be given to a picture, if there is a reason."""
    key, owner = given.key(target), given.owner(source, target)
    if owner is not None:
        hint = "use --on-exists rename, or another folder for one of them"
        return OutputExists(f"{target} is the result of {owner} already", hint)
    if key in given.manifests:
        return OutputExists(f"{target} is the manifest", "name results or the manifest otherwise: --name, --manifest")
    if key == given.key(source):
        return OutputExists(f"{target} is the input itself", "name another file with -o")
    if on_exists == "overwrite" and key in given.sources:
        return OutputExists(f"{target} is an input too", "name a folder with -o")
    if on_exists == "error" and given.exists(source, target):
        return OutputExists(f"{target} exists", "use --on-exists skip, overwrite or rename")
    return None


def _renamed(source: Path, name: Path, given: Given) -> Path:
    """Return the first of NAME, NAME-1, NAME-2, ... that is free."""
    own = given.number(source, name)
    if own is not None and given.is_free(source, _numbered(name, own)):
        return _numbered(name, own)
    number = given.numbers.get(name, 0)
    while not given.is_free(source, _numbered(name, number)):
        number += 1
    given.numbers[name] = number + 1  # what one picture cannot have, or has, is for no other
    return _numbered(name, number)


def _numbering(name: Path) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(name.stem)}(?:-([1-9]\d*))?{re.escape(name.suffix)}")


def _numbered(name: Path, number: int) -> Path:
    return name.with_name(f"{name.stem}-{number}{name.suffix}") if number else name
