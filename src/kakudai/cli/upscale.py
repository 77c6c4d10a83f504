"""`kakudai upscale`."""

import contextlib
from typing import TYPE_CHECKING

from kakudai.cli.assigning import Naming, assign_targets
from kakudai.cli.batch import Batch
from kakudai.cli.endings import extension_of, readable_extensions, writable_extensions
from kakudai.cli.inputs import Assignment, Found, find_pictures, is_one_picture
from kakudai.cli.keeping import Again, keeping, manifest_path
from kakudai.cli.options import (
    Actors,
    AsJson,
    Denoise,
    Depth,
    Device,
    Dither,
    DryRun,
    Exclude,
    FailFast,
    Fit,
    Format,
    Height,
    Include,
    Inputs,
    LargestInput,
    ManifestFile,
    ModelName,
    Name,
    NoManifest,
    NumberFormat,
    OnExists,
    Output,
    Quality,
    Quiet,
    Ray,
    Recursive,
    RetryFailed,
    Runtime,
    Scale,
    Still,
    Strip,
    Threads,
    Tile,
    Turns,
    Verify,
    Width,
)
from kakudai.cli.order import Order
from kakudai.cli.patterns import Patterns
from kakudai.cli.results import Results
from kakudai.cli.wishes import check_options
from kakudai.errors import UsageError
from kakudai.jobs.address import is_about_buckets

if TYPE_CHECKING:
    from kakudai.engine.upscaler import Upscaler


def upscale(
    inputs: Inputs,
    output: Output = None,
    scale: Scale = None,
    width: Width = None,
    height: Height = None,
    fit: Fit = None,
    model: ModelName = "auto",
    denoise: Denoise = "auto",
    tile: Tile = "auto",
    tta: Turns = 1,
    runtime: Runtime = "auto",
    precision: NumberFormat = "auto",
    device: Device = "auto",
    threads: Threads = None,
    format: Format = None,  # noqa: A002 - the word of the command line
    quality: Quality = None,
    depth: Depth = None,
    dither: Dither = None,
    still: Still = False,
    strip: Strip = False,
    on_exists: OnExists = "error",
    recursive: Recursive = False,
    include: Include = None,
    exclude: Exclude = None,
    name: Name = None,
    manifest: ManifestFile = None,
    no_manifest: NoManifest = False,
    verify: Verify = False,
    retry_failed: RetryFailed = False,
    max_pixels: LargestInput = None,
    fail_fast: FailFast = False,
    ray: Ray = None,
    actors: Actors = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Enlarge pictures.

    The result lies beside its input as NAME_2x.EXT, or in the folder that -o names under its own name. Colour profile,
    EXIF, XMP, resolution, bit depth and transparency are kept where the format can hold them; what it cannot is said.

    From a folder into a folder, what is done is kept in kakudai-manifest.jsonl there: the same command given again
    goes on where it was. Inputs and output may be addresses, too, such as s3://bucket/folder/. With --ray the machines
    of a cluster do the work; a single picture is cut into parts for them.

    Example: kakudai upscale photo.jpg holiday/ -s 4 -o large/
    """
    from kakudai.engine.job import FileOptions
    from kakudai.image.formats import find_output_format

    kind = find_output_format(format).name if format else None
    options = FileOptions(kind, quality, depth, strip, max_pixels, dither, still)
    check_options(options, on_exists, as_json=as_json, output=output)
    order = Order(
        scale, width, height, fit, model, denoise, tile=tile, tta=tta, runtime=runtime, precision=precision,
        device=device, threads=threads,
    )  # fmt: skip
    template = order.template(name, format)
    if actors is not None and ray is None:
        raise UsageError("--actors is for --ray, which is missing", "name a cluster with --ray, or leave --actors out")
    is_spread = ray is not None and is_one_picture(inputs)
    with order.open() as opened:
        results = Results(as_json=as_json, quiet=quiet)
        results.note(opened.notes)
        endings = readable_extensions() | {".cbz"}  # a .zip may be anything: it has to be named
        patterns = Patterns(tuple(include or ()), tuple(exclude or ()))
        naming = Naming(output, order.label, extension_of(kind), writable_extensions(), on_exists, template)  # type: ignore[arg-type]
        again = Again(verify, retry_failed)
        spread: contextlib.AbstractContextManager[Upscaler] = contextlib.nullcontext(opened)
        if ray is not None and is_spread:
            from kakudai.cli.clusters import cluster_of, helped

            spread = helped(opened, cluster_of(ray, actors, order, opened, options=options), quiet=quiet)
        with spread as upscaler:
            if (ray is not None and not is_spread) or is_about_buckets(inputs, output, manifest):
                from kakudai.cli.buckets import Wanted, upscale_in_buckets

                wanted = Wanted(
                    inputs, naming, patterns, recursive, manifest, no_manifest=no_manifest, again=again,
                    fail_fast=fail_fast, dry_run=dry_run, ray=None if is_spread else ray, actors=actors,
                )  # fmt: skip
                return upscale_in_buckets(wanted, order, upscaler, options, results)
            found = list(find_pictures(inputs, endings, recursive=recursive, patterns=patterns))
            pictures = [picture for picture in found if isinstance(picture, Found)]
            path = manifest_path(manifest, pictures, naming, is_off=no_manifest)
            with keeping(path, order, upscaler, options, reading=dry_run) as keeper:
                batch = Batch(upscaler, options, results, fail_fast=fail_fast, keeper=keeper, again=again)
                assignments = [problem for problem in found if isinstance(problem, Assignment)]
                assignments += assign_targets(pictures, naming, keeper.ledger if keeper else None, path)
                batch.refuse(assignments)
                return batch.plan(assignments) if dry_run else batch.run(assignments)
