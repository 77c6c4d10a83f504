"""Listening, and ending: a first signal finishes what runs, a second one stops at once."""

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from kakudai.errors import UsageError
from kakudai.serve.app import build
from kakudai.serve.guard import check_exposure
from kakudai.serve.service import Service
from kakudai.serve.settings import Settings

logger = logging.getLogger(__name__)

LINGER = 5.0
"""Seconds for fetching results that were finished after the signal."""

CONNECTIONS = 1_000
"""Open at the same time; more are turned away before a request is read."""

KEEP_ALIVE = 15

UNREAD = 60_000
"""Milliseconds in which a client has to take some of what it is sent; then the system ends the connection."""


class Patient(H11Protocol):
    """A connection that is closed when no whole request comes over it in time.

    uvicorn waits for ever for the first request, and for others as long as a byte comes now and then.
    """

    seconds = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.loop.call_later(self.seconds, self._close_if_silent, None)

    def _close_if_silent(self, last: RequestResponseCycle | None) -> None:
        """Close the connection if it has had no request since that one, which is answered."""
        if self.transport.is_closing():
            return
        if self.cycle is last and (last is None or last.response_complete):
            self.transport.close()
        else:
            self.loop.call_later(self.seconds, self._close_if_silent, self.cycle)


class Server(uvicorn.Server):
    """A server that finishes its work when it is told to stop."""

    def __init__(self, service: Service) -> None:
        self.service = service
        settings = service.settings
        protocol = type("Patient", (Patient,), {"seconds": settings.limits.header_seconds})
        super().__init__(
            uvicorn.Config(
                build(service),
                http=protocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=3,
                h11_max_incomplete_event_size=32_000,
            )
        )
        self._signals = 0
        self._stopping: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn calls it so
        """Take a signal: the first ends gently, the second at once."""
        self._signals += 1
        if self._signals > 1:
            self.should_exit = self.force_exit = True
            self.service.dispatcher.engine.kill()
            self.service.dispatcher.decoder.kill()
            return
        self.service.dispatcher.stopping = True
        asyncio.get_running_loop().call_soon_threadsafe(self._begin_to_stop)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals through the event loop, and do not raise them again: ending by them is no failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _begin_to_stop(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        """Finish what runs, let results be fetched, and end."""
        service, begun = self.service, time.time()
        logger.info("stopping: what runs is finished, for at most %g seconds", service.settings.limits.stop_seconds)
        try:
            async with asyncio.timeout(service.settings.limits.stop_seconds - LINGER):
                await service.dispatcher.stop()
        except TimeoutError:
            logger.warning("what runs takes too long and is given up")
        life = service.settings.limits.life_seconds
        end = time.monotonic() + LINGER
        while time.monotonic() < end and any(
            job.state == "done" and not job.fetched and job.ends - life >= begun for job in service.store.jobs()
        ):
            await asyncio.sleep(0.1)
        self.should_exit = True


def run(settings: Settings, started: Callable[[str], None]) -> None:
    """Serve until a signal ends it.

    Args:
        settings: Of the server.
        started: Called with the address when connections are taken.

    Raises:
        UsageError: Others could reach it and there is no token, or the address cannot be used.
    """
    wrong = check_exposure(settings)
    if wrong:
        raise UsageError(wrong, "set one with --token or KAKUDAI_TOKEN, or leave --host out")
    with contextlib.closing(listen(settings.host, settings.port)) as sock:
        asyncio.run(_serve(Service.make(settings), sock, started))


async def _serve(service: Service, sock: socket.socket, started: Callable[[str], None]) -> None:
    host, port = sock.getsockname()[:2]
    started(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    await Server(service).serve(sockets=[sock])


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        UsageError: It is taken, forbidden, or no address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections inherit it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD)
        try:
            sock.bind(address)
            sock.listen(512)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        hint = f"choose another port: --port {port + 1}, or --port 0 for any" if port else "check --host"
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or error}", hint) from None
    sock.setblocking(False)
    return sock
