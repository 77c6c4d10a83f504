"""Records that nobody measured, with round figures, for tests of what is made of them."""

from dataclasses import replace

from kakudai.bench.record import Block, Measured, Record
from kakudai.bench.timing import Facts, Timed

ROOF = Facts("roof", "matrix product", "onnxruntime", threads=2, size="1024x1024", macs=1e9)
NETWORK = Facts("network", "net", "onnxruntime", threads=2, tile=128, size="750x469", megapixels=2.0, macs=5e9)
ENGINE = replace(NETWORK, kind="engine", tile=0)
PEER = Facts("peer", "other", threads=2, size="750x469", way="net", megapixels=2.0)
FILE = replace(NETWORK, kind="file", tile=0, way="JPEG to PNG")
IMPORT = Facts("process", "bare import")
COLD = replace(NETWORK, kind="process", tile=0, way="PNG to PNG")


def record(commit: str = "aaa", *, date: str = "2026-01-01T00:00:00+00:00", slow: float = 1.0) -> Record:
    """Make a record of three rounds.

    The second round found the machine busy, so that everything took twice as long; ratios do not see it.

    Args:
        slow: Times as long as usual that the network takes, everywhere.
    """
    network = (10.0 * slow, 20.0 * slow, 10.0 * slow)
    networks = Block(
        "networks: net",
        (
            Timed(ROOF, (1.0, 2.0, 1.0)),
            Timed(replace(ROOF, runtime="openvino"), (2.0, 4.0, 2.0)),
            Timed(NETWORK, network, peak_memory=100_000_000),
            Timed(ENGINE, tuple(1.25 * seconds for seconds in network)),
            Timed(PEER, (50.0, 100.0, 50.0), peak_memory=900_000_000),
        ),
    )
    files = Block(
        "files: net",
        (
            Timed(ROOF, (1.0, 2.0, 1.0)),
            Timed(replace(NETWORK, tile=256), network),
            Timed(FILE, tuple(1.25 * seconds for seconds in network), network),
        ),
    )
    processes = Block(
        "processes",
        (Timed(IMPORT, (0.5, 1.0, 0.5)), Timed(COLD, (11.0, 22.0, 11.0), (10.0, 20.0, 10.0))),
    )
    measured = Measured((networks, files, processes), (("other beside net", "it is not installed"),))
    return Record(
        date, "0.1.0", commit, "A Processor (R) 7", "family 1 model 2 avx2", 2, 0.1, "usual", {"numpy": "2.4"}, measured
    )  # fmt: skip
