"""The page about planning past one machine, from what benchmarks/planning.py has measured."""

import math
import statistics
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]

SHARD_BYTES = 250e6
"""Of a manifest: it is uploaded whole every half minute, and a lock is renewed with it."""

LISTED = 1000
"""Objects that one request lists."""

READS, WRITES = 2, 1
"""Requests for a picture from bucket to bucket: GET and HEAD, PUT. See tests/cli/test_s3.py; the rest is for all
together, but for lists."""

ONE = "1 actor, 2 threads"
TWO = "2 actors, 1 thread each"

HEAD = """# Planning past one machine

Written by `benchmarks/planning.py`; do not edit. All was measured on one machine with two processors
({processor}).
"""

FOLDER = """
## One machine, many small pictures

{pictures:,} JPEG files of 32 to 127 pixels a side, by photo-fast without denoising, {rounds} times in turn: a loop over
`read_image`, `Upscaler.upscale_picture` and `write_image`, and `kakudai upscale FOLDER -o FOLDER`, which also keeps a
manifest. The command does **{ratio:.2f}** times as many.

| | loop | command |
| --- | --: | --: |
{rows}

The same command given again finds that all is done: {again_ms:.2f} ms and {again_kb:.1f} KB of memory for a picture.
"""

ACTORS = """
## Actors

{pictures} JPEG files of 450 x 450 pixels by photo-x2, from a folder into a folder, without what it takes to start (the
difference of a long and a short run). All actors share two processors, so four of them can only crowd.

| | pictures per second | of one process | to start | processor time of the driver for a picture |
| --- | --: | --: | --: | --: |
{rows}

Two actors with a processor each do {two:.2f} times as many as one that has both. In the first row the driver does
everything itself. With actors, what it needs for a picture is what cannot be shared out (Amdahl): one driver keeps up
with {most:,.0f} pictures a second, those of {machines:,.0f} such machines.

A picture is {kb_in:.0f} KB to fetch and {kb_out:.0f} KB to deliver: {moved:.1f} MB a second for a machine. None of it
goes through the driver.
"""

GIANT = """
## One giant picture

{megapixels:.0f} megapixels, TIFF to TIFF by photo-x2, with all that it takes to start. The bytes are the same.

| | seconds | of one process |
| --- | --: | --: |
{rows}

Everything that is read and written goes through the driver, which here shares the two processors with its actors.
"""

PLAN = """
## A million pictures, and a billion

Pictures of 450 x 450 by photo-x2, from bucket to bucket, at the pace of one actor with two processors. Assumed, and to
be replaced by yours (`python benchmarks/planning.py page --node-hour ...`): such a machine costs ${node_hour:.2f} an
hour, a thousand requests that write ${put} and that read ${get}. What a provider asks for moving bytes out of a bucket
comes on top, unless the machines are where the bucket is.

| | a million | a billion |
| --- | --: | --: |
{rows}

- **One command for each part of the bucket.** A manifest is uploaded whole every half minute, and is kept below
  {shard_mb:.0f} MB by giving each command a prefix of its own: the pictures of `s3://photos/in/00/` go to
  `s3://photos/out/00/`. Prefixes also share out the requests, of which S3 takes some thousands a second for each.
- **The driver** lists all of its prefix before it begins, and keeps the entries of the manifest in memory:
  {memory:.1f} GB for the {shard:,.0f} pictures of such a command. By processor time {drivers} can keep {nodes} such
  machines at work.
- **Machines that may be taken away** are fine: what dies is done again by others, and a command that has died goes on
  where it was.
- **The network.** See above for what a machine moves; one that enlarges ten times as fast moves ten times as much.
"""


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in dollars, and how many machines there are to be.

    Args:
        node_hour: A machine like the one that was measured, for an hour.
        put: A thousand requests that write or list.
        get: A thousand requests that read.
        nodes: Machines.
    """

    node_hour: float = 0.10
    put: float = 0.005
    get: float = 0.0004
    nodes: int = 100


@dataclass(frozen=True, slots=True)
class Job:
    """What many pictures take.

    Args:
        pictures: How many.
        hours: Of one machine.
        manifest: Bytes, of all manifests together.
        reads: Requests.
        writes: Requests, lists among them.
        moved: Bytes that are fetched, and that are written.
    """

    pictures: int
    hours: float
    manifest: float
    reads: int
    writes: int
    moved: tuple[float, float]

    @property
    def shards(self) -> int:
        """Commands, each with a manifest and a prefix of its own."""
        return math.ceil(self.manifest / SHARD_BYTES)

    def requests_price(self, prices: Prices) -> float:
        """Return what the requests cost."""
        return (self.reads * prices.get + self.writes * prices.put) / 1000

    def price(self, prices: Prices) -> float:
        """Return what it costs."""
        return self.hours * prices.node_hour + self.requests_price(prices)


def plan(found: Found, pictures: int) -> Job:
    """Say what so many pictures take, by what was measured."""
    actors = found["actors"]
    return Job(
        pictures,
        pictures * actors["ways"][ONE]["seconds"] / 3600,
        pictures * found["folder"]["command"][0]["manifest_bytes"],
        pictures * READS,
        pictures * WRITES + 2 * math.ceil(pictures / LISTED),
        (pictures * actors["bytes_in"], pictures * actors["bytes_out"]),
    )


def page(found: Found, prices: Prices) -> str:
    """Return the page as Markdown: the parts that were measured, and the plan where all were."""
    text = HEAD.format(processor=", ".join(dict.fromkeys(part["processor"] for part in found.values())))
    for name, write in (("folder", folder_part), ("actors", actors_part), ("giant", giant_part)):
        text += write(found[name]) if name in found else ""
    return text + (plan_part(found, prices) if "folder" in found and "actors" in found else "")


def table(rows: list[list[str]]) -> str:
    """Return the rows of a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def folder_part(found: Found) -> str:
    """Write about a folder of small pictures."""
    ways = ("loop", "command")

    def medians(name: str, form: str) -> list[str]:
        return [form.format(statistics.median(one[name] for one in found[way])) for way in ways]

    def growth(way: str) -> str:
        line = max((one["kilobytes_per_thousand"] for one in found[way]), key=lambda line: float(line["slope"]))
        return f"{line['slope']:.0f} ± {line['error']:.0f} KB"

    paces = [[one["pictures_per_second"] for one in found[way]] for way in ways]
    return FOLDER.format(
        pictures=found["pictures"],
        rounds=len(found["loop"]),
        ratio=statistics.median(command / loop for loop, command in zip(*paces, strict=True)),
        again_ms=1000 * found["again"]["seconds"],
        again_kb=found["again"]["kilobytes"],
        rows=table([
            ["pictures per second", *medians("pictures_per_second", "{:.0f}")],
            ["processors busy", *medians("busy", "{:.0%}")],
            ["most memory", *medians("most_megabytes", "{:.0f} MB")],
            ["growth for a thousand pictures, at most", *map(growth, ways)],
        ]),
    )  # fmt: skip


def actors_part(found: Found) -> str:
    """Write about actors."""
    ways = found["ways"]
    seconds, driver = ways[ONE]["seconds"], ways[ONE]["driver"]

    def row(way: str, each: dict[str, float]) -> list[str]:
        shares = [f"{1 / each['seconds']:.1f}", f"{ways['plain']['seconds'] / each['seconds']:.2f}"]
        return [way, *shares, f"{each['start']:.1f} s", f"{1000 * each['driver']:.1f} ms"]

    return ACTORS.format(
        pictures=found["pictures"],
        rows=table([row(way, each) for way, each in ways.items()]),
        two=seconds / ways[TWO]["seconds"],
        most=1 / driver,
        machines=seconds / driver,
        kb_in=found["bytes_in"] / 1000,
        kb_out=found["bytes_out"] / 1000,
        moved=(found["bytes_in"] + found["bytes_out"]) / seconds / 1e6,
    )


def giant_part(found: Found) -> str:
    """Write about one large picture."""
    seconds = found["seconds"]
    rows = [[way, f"{taken:.1f}", f"{seconds['plain'] / taken:.2f}"] for way, taken in seconds.items()]
    return GIANT.format(megapixels=found["megapixels"], rows=table(rows))


def plan_part(found: Found, prices: Prices) -> str:
    """Write about a million pictures, and a billion."""
    jobs = [plan(found, 10**6), plan(found, 10**9)]
    ways = found["actors"]["ways"][ONE]
    shard = jobs[1].pictures / jobs[1].shards
    rows = [
        ["hours of one machine", *(f"{job.hours:,.0f}" for job in jobs)],
        [f"hours with {prices.nodes} machines", *(f"{job.hours / prices.nodes:,.1f}" for job in jobs)],
        ["fetched, written", *(f"{job.moved[0] / 1e12:,.2f} TB, {job.moved[1] / 1e12:,.2f} TB" for job in jobs)],
        ["requests: GET and HEAD, PUT and LIST", *(f"{job.reads:,}, {job.writes:,}" for job in jobs)],
        ["manifests", *(f"{job.manifest / 1e9:,.1f} GB" for job in jobs)],
        [f"commands, for manifests of {SHARD_BYTES / 1e6:.0f} MB", *(f"{job.shards:,}" for job in jobs)],
        ["price", *(f"${job.price(prices):,.0f}" for job in jobs)],
        ["of it, requests", *(f"${job.requests_price(prices):,.0f}" for job in jobs)],
    ]
    return PLAN.format(
        node_hour=prices.node_hour,
        put=prices.put,
        get=prices.get,
        nodes=prices.nodes,
        rows=table(rows),
        shard_mb=SHARD_BYTES / 1e6,
        shard=shard,
        memory=shard * found["folder"]["again"]["kilobytes"] / 1e6,
        drivers=math.ceil(prices.nodes * ways["driver"] / ways["seconds"]),
    )
