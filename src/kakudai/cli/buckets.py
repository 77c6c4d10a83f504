"""`kakudai upscale` where an input or the output is in a bucket: what is asked, and the order of things."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.cli.assigning import Naming
from kakudai.cli.bucket_batch import BucketBatch
from kakudai.cli.bucket_inputs import Item, Refused, Search, find_items
from kakudai.cli.bucket_targets import Settling, output_place
from kakudai.cli.clusters import cluster_of
from kakudai.cli.endings import readable_extensions
from kakudai.cli.keeping import Again
from kakudai.cli.order import Order
from kakudai.cli.patterns import Patterns
from kakudai.cli.report import ending_at_sigterm
from kakudai.cli.results import Results
from kakudai.errors import UsageError
from kakudai.jobs.address import is_address, understood, within
from kakudai.jobs.carrying import Task
from kakudai.jobs.manifest import NAME, Manifest
from kakudai.jobs.sides import Sides
from kakudai.jobs.staging import staging

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions
    from kakudai.engine.upscaler import Upscaler
    from kakudai.jobs.bucket_keeper import BucketKeeper


FEW = 8
"""Pictures whose targets are looked for one by one; the output prefix, which may hold millions, is listed for more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of pictures in buckets, see `kakudai.cli.options`.

    Args:
        words: Inputs, as they were given.
        naming: How results are named.
        patterns: Which pictures of folders and prefixes are taken.
        recursive: Look below them.
        manifest: Where it is to be; None where that follows from the output.
        no_manifest: There is to be none.
        again: What is done again that the manifest has already.
        fail_fast: Stop at the first picture that fails.
        dry_run: Only say what would be done.
        ray: The cluster that does it; None for this process.
        actors: At most so many of its actors.
    """

    words: list[str]
    naming: Naming
    patterns: Patterns
    recursive: bool
    manifest: str | None
    no_manifest: bool
    again: Again
    fail_fast: bool
    dry_run: bool
    ray: str | None = None
    actors: int | None = None


def upscale_in_buckets(
    wanted: Wanted, order: Order, upscaler: "Upscaler", options: "FileOptions", results: Results
) -> int:
    """Enlarge pictures from and to buckets; return the exit code.

    Raises:
        UsageError: Options exclude each other, a protocol cannot be used, or another run has the manifest.
        BucketError: The bucket of the manifest or of the output cannot be used.
    """
    folder = output_place(wanted.naming)
    cluster = None
    if wanted.ray is not None:
        shared = None if folder is None or is_address(folder) else Path(folder).absolute()
        cluster = cluster_of(wanted.ray, wanted.actors, order, upscaler, options=options, folder=shared)
    with ending_at_sigterm(), staging() as place:
        sides = Sides(place)
        search = Search(readable_extensions() | {".cbz"}, wanted.patterns, wanted.recursive, folder)
        found = list(find_items(wanted.words, search, sides))
        items = [item for item in found if isinstance(item, Item)]
        name = _manifest_name(wanted, items, folder)
        with _keeping(name, order, upscaler, options, sides=sides, place=place, reading=wanted.dry_run) as keeper:
            if folder is not None and is_address(folder) and (wanted.dry_run or len(items) > FEW):
                sides.below(folder)
            batch = BucketBatch(
                upscaler, options, results, sides, place, keeper=keeper, again=wanted.again,
                fail_fast=wanted.fail_fast, cluster=cluster,
            )  # fmt: skip
            reserved = set() if name is None else {name, f"{name}.lock"}
            settled = list(Settling(wanted.naming, folder, sides, keeper, reserved).settle(items))
            batch.refuse([one for one in (*found, *settled) if isinstance(one, Refused)], len(items))
            tasks = [one for one in settled if isinstance(one, Task)]
            return batch.plan(tasks) if wanted.dry_run else batch.run(tasks)


def _manifest_name(wanted: Wanted, items: list[Item], folder: str | None) -> str | None:
    """Return the path or address of the manifest, see `keeping.manifest_path`."""
    if wanted.no_manifest:
        if wanted.manifest is not None:
            raise UsageError("--manifest and --no-manifest exclude each other", "leave one of them out")
        return None
    if wanted.manifest is not None:
        return understood(wanted.manifest)
    return within(folder, NAME) if folder is not None and any(item.root is not None for item in items) else None


@contextlib.contextmanager
def _keeping(
    name: str | None,
    order: Order,
    upscaler: "Upscaler",
    options: "FileOptions",
    *,
    sides: Sides,
    place: Path,
    reading: bool,
) -> Iterator["BucketKeeper | None"]:
    """Open the manifest, here or in a bucket; without a name there is none."""
    if name is None:
        yield None
        return
    from kakudai.jobs.bucket_keeper import BucketKeeper
    from kakudai.jobs.object_manifest import ObjectManifest

    run = order.run(upscaler, options)
    if is_address(name):
        with ObjectManifest(sides.store(name), name, place, reading=reading) as manifest:
            yield BucketKeeper(manifest, run, sides)
    else:
        sides.relate(Path(name))
        with Manifest(Path(name), reading=reading) as file:
            yield BucketKeeper(file, run, sides)
