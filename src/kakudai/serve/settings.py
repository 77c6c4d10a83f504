"""What a server allows, and where it listens."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from kakudai.engine.machine import Machine


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what strangers may ask for. The defaults are for a server that anybody can reach.

    Args:
        upload_bytes: Largest picture file.
        upload_seconds: Longest time in which a request's body may arrive.
        pause_seconds: Longest time in which nothing of it arrives.
        header_seconds: Longest time from a connection to its first whole request line and headers.
        fields: Most parts of a form.
        field_bytes: Largest value of a field that is no picture.
        input_pixels: Most pixels of a picture, by its header.
        input_side: Most pixels along one side of it.
        frames: Most frames of an animation, of which the first is taken.
        output_pixels: Most pixels of a result.
        decode_cpu_seconds: Processor time for decoding one picture.
        decode_seconds: Wall time for decoding one picture.
        decode_bytes: Address space for decoding one picture.
        queue: Pictures that may wait; one more runs.
        per_client: Pictures of one address that may wait or run.
        uploads: Bodies that may arrive at the same time.
        streams: Event streams that may be open at the same time.
        deadline_seconds: A request that waits for its picture is given up after this, or refused before it begins.
        job_seconds: Longest time that one picture may take.
        life_seconds: Results are deleted after this.
        disk_bytes: Room for all results; the oldest go first.
        ended: Jobs that are remembered after their end, well or not; the oldest go first.
        stop_seconds: Longest time for finishing what runs when the server is told to stop.
    """

    upload_bytes: int = 20_000_000
    upload_seconds: float = 60.0
    pause_seconds: float = 10.0
    header_seconds: float = 20.0
    fields: int = 32
    field_bytes: int = 1_000
    input_pixels: int = 24_000_000
    input_side: int = 16_384
    frames: int = 200
    output_pixels: int = 64_000_000
    decode_cpu_seconds: int = 10
    decode_seconds: float = 20.0
    decode_bytes: int = 2 << 30
    queue: int = 16
    per_client: int = 8
    uploads: int = 64
    streams: int = 256
    deadline_seconds: float = 60.0
    job_seconds: float = 600.0
    life_seconds: float = 3_600.0
    disk_bytes: int = 2_000_000_000
    ended: int = 2_000
    stop_seconds: float = 25.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One server.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes any that is free.
        token: Secret that clients must send; needed wherever others than this machine can connect.
        names: More names that requests may give as their host, as a proxy in front has them.
        behind_proxy: Whether the connecting address is a proxy whose `X-Forwarded-For` names the client.
        machine: How networks are run.
        keep_gps: Whether places stay in EXIF and XMP.
        folder: Where results and uploads lie, in a folder of the server's own; None is the system's place for such.
        limits: What clients may ask for.
    """

    host: str = "127.0.0.1"
    port: int = 8812
    token: str | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()
    behind_proxy: bool = False
    machine: Machine = field(default_factory=Machine)
    keep_gps: bool = False
    folder: Path | None = None
    limits: Limits = field(default_factory=Limits)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can connect to an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
