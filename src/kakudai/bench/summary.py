"""What the times say: speeds, shares of the roof and of the bare network, and how we stand beside others.

Every ratio is taken within the rounds of one block; its figure is the median over the rounds.
"""

from dataclasses import dataclass
from statistics import median

from kakudai.bench.record import Block, Measured
from kakudai.bench.timing import Timed, ratio


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """A file that became a file, beside the network alone on the same pixels.

    Args:
        bare: The network alone.
        file: From file to file.
        share: Of the bare network's speed that is left.
    """

    bare: Timed
    file: Timed
    share: float


@dataclass(frozen=True, slots=True)
class BesidePeer:
    """Our engine beside a peer: both from array to array, with as many threads.

    Args:
        ours: In the runtime that `auto` takes, or the first that was named.
        gain: How many times as fast ours is.
    """

    ours: Timed
    peer: Timed
    gain: float


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A process that enlarges one picture, less what its network took, beside one that only imports what it must.

    Args:
        process: The process.
        overhead: Seconds of it that were not the network's.
        ratio: The overhead, in such imports.
    """

    process: Timed
    overhead: float
    ratio: float


def roof_shares(block: Block, timed: Timed) -> list[float]:
    """Return, for each round, the share of the roof of the same precision and threads; none where there is no roof."""
    facts = timed.facts
    roofs = [
        roof
        for roof in block.of("roof")
        if (roof.facts.precision, roof.facts.threads) == (facts.precision, facts.threads)
    ]
    if not roofs or not facts.macs:
        return []
    return [
        facts.macs / seconds / max(roof.facts.macs / roof.seconds[turn] for roof in roofs)
        for turn, seconds in enumerate(timed.seconds)
    ]


def roof_share(block: Block, timed: Timed) -> float | None:
    """Return the share of the roof, or None where there is no roof."""
    shares = roof_shares(block, timed)
    return median(shares) if shares else None


def end_to_end(measured: Measured) -> list[EndToEnd]:
    """Put files beside their networks."""
    found = []
    for block in measured.blocks:
        bare = {_work(entry): entry for entry in block.of("network")}
        found += [
            EndToEnd(bare[_work(entry)], entry, ratio(bare[_work(entry)], entry))
            for entry in block.of("file")
            if _work(entry) in bare
        ]
    return found


def _work(timed: Timed) -> tuple[str, str, str, int, str]:
    facts = timed.facts
    return facts.name, facts.runtime, facts.precision, facts.threads, facts.size


def beside_peers(measured: Measured) -> list[BesidePeer]:
    """Put our engine beside other programs, for each precision and number of threads."""
    found = []
    for block in measured.blocks:
        for ours in engines(block):
            found += [
                BesidePeer(ours, peer, ratio(peer, ours))
                for peer in block.of("peer")
                if peer.facts.threads == ours.facts.threads
            ]
    return found


def engines(block: Block) -> list[Timed]:
    """Return our engine with each network, precision and number of threads, in the first runtime: that of `auto`."""
    first: dict[tuple[str, str, int], Timed] = {}
    for entry in block.of("engine"):
        first.setdefault((entry.facts.name, entry.facts.precision, entry.facts.threads), entry)
    return list(first.values())


def cold_starts(measured: Measured) -> list[ColdStart]:
    """Put processes that enlarge beside one that only imports."""
    found = []
    for block in measured.blocks:
        processes = block.of("process")
        imports = next((entry for entry in processes if entry.facts.name == "bare import"), None)
        for entry in processes:
            if imports is not None and entry.network_seconds:
                rest = [whole - own for whole, own in zip(entry.seconds, entry.network_seconds, strict=True)]
                times = median(own / least for own, least in zip(rest, imports.seconds, strict=True))
                found.append(ColdStart(entry, median(rest), times))
    return found
