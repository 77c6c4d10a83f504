"""A helping process, seen from the server: started ahead, spoken to in JSON lines, started again when it has died."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

LONGEST_LINE = 1 << 20
"""Bytes of one message."""

START_SECONDS = 120.0
"""Until a process has to be ready; loading takes a second or two on a machine that is not busy."""


class Died(Exception):
    """The process has ended, or does not answer."""


class Child:
    """One helping process.

    Args:
        module: What it runs, such as "kakudai.serve.decoder_process".
        words: Its arguments.
        died: Called when it has ended without being told to.
    """

    def __init__(self, module: str, words: list[str], died: Callable[[], None]) -> None:
        self._command = [sys.executable, "-P", "-m", module, *words]
        self._process: asyncio.subprocess.Process | None = None
        self._died = died
        self._numbers = 0
        self._using = asyncio.Lock()
        self._starting = asyncio.Lock()

    @property
    def ready(self) -> bool:
        """Whether it is there, and waits for work or works."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Its number, while it lives."""
        return self._process.pid if self._process is not None and self.ready else None

    async def start(self) -> None:
        """Start it, unless it is there.

        Raises:
            Died: It does not come up.
        """
        async with self._starting:
            if self.ready:
                return
            if self._process is not None:  # it died while it had nothing to do
                self._died()
                self._process = None
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the server, which ends its children itself
                limit=LONGEST_LINE,
            )
            try:
                await asyncio.wait_for(_receive(process), START_SECONDS)
            except BaseException as error:  # nobody else knows of it yet
                _kill(process)
                if isinstance(error, TimeoutError):
                    raise Died from None
                raise
            self._process = process

    async def ask(self, order: dict[str, Any], heard: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Give it work, and return its last message about it.

        Whoever is cancelled while waiting leaves a process behind that is still at work: it is ended.

        Args:
            order: What to do; it is given a number as its "id".
            heard: Called with every message before the last.

        Raises:
            Died: It ended before it was done.
        """
        async with self._using:
            await self.start()
            process = self._process
            assert process is not None
            self._numbers += 1
            number = self._numbers
            try:
                await _send(process, {**order, "id": number})
                while True:
                    message = await _receive(process)
                    if message["event"] in ("done", "failed", "cancelled"):
                        return message
                    if heard is not None:
                        heard(message)
            except BaseException as error:
                if isinstance(error, Died):
                    self._died()
                self._end(process)
                raise

    async def cancel(self) -> None:
        """Tell it that nobody wants what it is at."""
        if self._process is not None and self.ready:
            with contextlib.suppress(Died):
                await _send(self._process, {"cancel": self._numbers})

    def kill(self) -> None:
        """End it and all that it has started."""
        if self._process is not None:
            self._end(self._process)

    async def close(self) -> None:
        """End it, and see it gone: what is left of it would complain when the event loop has ended."""
        process = self._process
        self.kill()
        if process is not None:
            with contextlib.suppress(RuntimeError):  # somebody else still listens to it
                await process.communicate(b"")

    def _end(self, process: asyncio.subprocess.Process) -> None:
        """End a process; another that has taken its place meanwhile goes on."""
        _kill(process)
        if self._process is process:
            self._process = None


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _send(process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        raise Died from None


async def _receive(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise Died
        message: dict[str, Any] = json.loads(line)
    except ValueError:
        raise Died from None
    return message
