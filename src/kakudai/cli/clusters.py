"""`kakudai upscale --ray`: the cluster that an order is for, and an upscaler that it helps."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kakudai.cli.order import Order
from kakudai.cli.report import say
from kakudai.jobs.actor import Duty, Promise
from kakudai.jobs.cluster import Cluster

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions
    from kakudai.engine.upscaler import Upscaler


def cluster_of(
    address: str,
    actors: int | None,
    order: Order,
    upscaler: "Upscaler",
    *,
    options: "FileOptions",
    folder: Path | None = None,
) -> Cluster:
    """Return the cluster that does an order; nothing is started yet.

    Args:
        address: Of the cluster, see `Cluster`.
        actors: At most so many of them.
        order: What is asked.
        upscaler: What it opens.
        options: How files are read and written.
        folder: Where actors are to write; None where they write into a bucket, or not at all.
    """
    networks = order.run(upscaler, options).networks
    promise = Promise(upscaler.runtime, upscaler.numbers, tuple(sorted(networks.items())), folder)
    duty = Duty(_everywhere(order.wish(), upscaler), options, promise)
    return Cluster(address, duty, threads=order.threads, most=actors)


@contextlib.contextmanager
def helped(upscaler: "Upscaler", cluster: Cluster, *, quiet: bool) -> "Iterator[Upscaler]":
    """Give an upscaler whose pictures are enlarged by a cluster in parts."""
    from kakudai.jobs.spreading import Spread

    def tell(text: str, *, matters: bool) -> None:
        if matters or not quiet:
            say(text)

    with Spread(cluster, tell) as spread:
        yield upscaler.helped_by(spread)


def _everywhere(wish: dict[str, Any], upscaler: "Upscaler") -> dict[str, Any]:
    """Return the arguments of an upscaler that works on other machines: the network itself in place of its file."""
    from kakudai.models import Model
    from kakudai.models.catalogue import is_folder, is_path

    named = wish["model"]
    if is_folder(named):
        return {**wish, "model": str(Path(named).absolute())}
    return {**wish, "model": upscaler.model} if is_path(named) and isinstance(upscaler.model, Model) else wish
