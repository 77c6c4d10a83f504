"""Where each result goes, where some are in buckets: decided for all pictures before any work is done."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from kakudai.cli.assigning import Naming, folded, folds, result_names
from kakudai.cli.bucket_inputs import Item, Refused
from kakudai.cli.inputs import STREAM
from kakudai.errors import BucketError, OutputExists, UsageError
from kakudai.jobs.address import beside, is_address, is_bucket, understood, within
from kakudai.jobs.bucket_keeper import BucketKeeper
from kakudai.jobs.carrying import Task
from kakudai.jobs.sides import Sides


def output_place(naming: Naming) -> str | None:
    """Return the folder or prefix that -o names, as far as its words tell; None where it names one file or nothing.

    Raises:
        UsageError: It is standard output, or what cannot be in a bucket.
    """
    if naming.output is None:
        return None
    if naming.output == STREAM:
        raise UsageError("pictures from buckets do not go to standard output", "name a file, a folder or an address")
    ending = PurePosixPath(
        naming.template.fill("picture", naming.extension or ".png") if naming.template else ""
    ).suffix
    if ".dzi" in (naming.extension, ending.lower(), PurePosixPath(naming.output).suffix.lower()):
        raise UsageError("DeepZooms, which are many files each, are not made with buckets", "make them here, and copy")
    output = understood(naming.output)
    if naming.output.endswith(("/", os.sep)) or os.path.isdir(output):  # noqa: PTH112 - never raises
        return output
    is_file = PurePosixPath(output).suffix and not (is_address(output) and is_bucket(output))
    return None if is_file else output


@dataclass(slots=True)
class Settling:
    """What may not be given to a picture as its target.

    Args:
        naming: How targets are named.
        folder: The folder or prefix of all; None for beside the inputs, or for one named file.
        sides: Knows what is there.
        keeper: Knows whose results are ours; None without a manifest.
        reserved: The manifest and its lock.
        taken: Targets, and whose they are; lengthened.
        sources: Inputs.
    """

    naming: Naming
    folder: str | None
    sides: Sides
    keeper: BucketKeeper | None
    reserved: set[str]
    taken: dict[str, str] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    _folds: bool = False

    def __post_init__(self) -> None:
        self._folds = self.folder is not None and not is_address(self.folder) and folds(Path(self.folder))
        self.reserved = {self._same(name) for name in self.reserved}

    def settle(self, items: list[Item]) -> Iterator[Task | Refused]:
        """Give each picture its target; two pictures never get the same one, and no input is a target.

        Raises:
            UsageError: Several pictures are to go into one.
        """
        if self.naming.output is not None and self.folder is None and (len(items) > 1 or any(i.root for i in items)):
            hint = f"name a folder with -o; it ends with /: -o {self.naming.output}/"
            raise UsageError(f"{len(items)} pictures cannot go into one: {self.naming.output}", hint)
        origins = {item.name: self._origin(item) for item in items if item.root is not None}
        kept = [item for item in items if not origins.get(item.name)]
        self.sources = {self._same(item.name) for item in kept}
        owners = {self._same(self._target(item)[0]): item.name for item in kept}
        for item in kept:
            owner = owners.get(self._same(item.name), item.name)
            if item.root is not None and owner != item.name:
                origins[item.name] = owner
                self.sources.remove(self._same(item.name))
        for item in items:
            origin = origins.get(item.name)
            if origin:
                yield Refused(item.name, note=f"it is the result of {origin}", is_result=True)
                continue
            target, note = self._target(item)
            if note:
                yield Refused(item.name, note=note, is_no_picture=True)
            try:
                yield self._settled(item.name, target)
            except BucketError as error:
                yield Refused(item.name, error)

    def _origin(self, item: Item) -> str | None:
        return self.keeper.ledger.origin(item.name) if self.keeper is not None else None

    def _target(self, item: Item) -> tuple[str, str]:
        """Name the target of one picture, and say where its format had to change."""
        if self.naming.output is not None and self.folder is None:
            if self.naming.template is not None:
                raise UsageError(f"--name and -o {self.naming.output} both name a file", "let -o end with /")
            return understood(self.naming.output), ""
        picture = PurePosixPath(item.name.rpartition("/")[2]) if is_address(item.name) else PurePath(item.name)
        plain, labelled, note = result_names(picture, self.naming)
        if self.folder is None:
            return beside(item.name, labelled), note
        target = within(self.folder, item.below, plain)
        return (beside(target, labelled) if self._same(target) in self.sources else target), note

    def _same(self, name: str) -> str:
        """Return what is the same for all names of a file; addresses have one each."""
        if is_address(name):
            return name
        path = os.path.realpath(name)
        return folded(path) if self._folds else path

    def _settled(self, source: str, target: str) -> Task | Refused:
        on_exists, may_be = self.naming.on_exists, self._may_be(source, target)
        if on_exists == "rename":
            target = self._renamed(source, target)
            may_be = True
        key = self._same(target)
        if key in self.taken:
            hint = "use --on-exists rename, or another folder for one of them"
            return Refused(source, OutputExists(f"{target} is the result of {self.taken[key]} already", hint))
        if key in self.reserved:
            hint = "name results or the manifest otherwise: --name, --manifest"
            return Refused(source, OutputExists(f"{target} is the manifest", hint))
        if key in self.sources:
            return Refused(source, OutputExists(f"{target} is an input itself", "name another folder with -o"))
        if not may_be and on_exists == "skip":
            return Refused(source, note=f"{target} exists")
        if not may_be and on_exists == "error":
            return Refused(source, OutputExists(f"{target} exists", "use --on-exists skip, overwrite or rename"))
        self.taken[key] = source
        return Task(source, target, replaces=on_exists == "overwrite")

    def _may_be(self, source: str, target: str) -> bool:
        """Say whether a target is nothing, or our own result, or may be what a run made that was killed.

        Whether it is that is seen when the picture is made again: only the very same bytes are, see `deliver`.
        """
        if not self.sides.exists(target):
            return True
        keeper = self.keeper
        return keeper is not None and (keeper.ledger.owns(source, target) or keeper.was_begun(source, target))

    def _renamed(self, source: str, target: str) -> str:
        """Return the first of NAME, NAME-1, NAME-2, ... that is free or ours."""
        stem, dot, ending = target.rpartition(".")
        number, name = 0, target
        held = self.taken, self.reserved, self.sources
        while any(self._same(name) in names for names in held) or not self._may_be(source, name):
            number += 1
            name = f"{stem}-{number}{dot}{ending}"
        return name
