"""A manifest that is an object in a bucket: read at the start, lengthened here, uploaded whole from time to time."""

import contextlib
import json
import secrets
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from kakudai.errors import BucketError, KakudaiError, OutputExists, UsageError
from kakudai.jobs.lines import Entry, Run
from kakudai.jobs.manifest import Contents, Manifest, parse
from kakudai.jobs.store import Store

UPLOAD_SECONDS = 30.0
"""Between two uploads of what has been added; a kill costs so many seconds of lines; their pictures are made again."""

STALE_SECONDS = 300.0
"""A lock that was not renewed for so long is that of a run which is gone; its owner stops after half of that."""

CONFIRM_SECONDS = 2.0
"""Between taking over a stale lock and the look whether another has done so, too."""


GO_ON = "give the same command again when no other run has it: it goes on where it was"


class ObjectManifest:
    """A manifest that a run adds to, as `Manifest` is for files. Objects cannot be lengthened, so it is uploaded whole.

    One run at a time, by an object beside it with the name of the run and the time, renewed at each upload. Where the
    server knows how to make an object only if there is none (S3, Google), two runs that begin at once cannot both have
    it; taking over a stale one is not as sure, so the new owner reads it once more, as does every renewal: who finds
    another's name there stops. Clocks that differ by minutes make a lock look older or younger than it is; a run that
    is taken for dead notices, at its next renewal, and nothing that it has delivered is lost, for results are compared.
    A run that could not renew its lock for long stops, too, before anybody may take it for dead.

    Args:
        store: Holds it.
        address: Its address.
        folder: A folder for the copy that is worked on.
        reading: Nothing will be written: whoever writes meanwhile is not disturbed.

    Attributes:
        contents: What it said when it was opened.

    Raises:
        UsageError: It is another kind of object, or another run has it.
        BucketError: It cannot be read.
    """

    def __init__(self, store: Store, address: str, folder: Path, *, reading: bool = False) -> None:
        self.address, self.contents = address, Contents()
        self._store, self._reading = store, reading
        self._name = f"{socket.gethostname()}-{secrets.token_hex(8)}"
        self._copy = folder / "manifest.jsonl"
        self._uploaded = 0
        self._turn, self._ended = threading.Lock(), threading.Event()
        self._lost: KakudaiError | None = None
        self._renewed = time.monotonic()
        try:
            if not reading:
                self._take_lock()
                store.prove(self._mine(), self._lock)
            data = store.read(address)
            self._is_absent = data is None
            if data is not None:
                self.contents = parse(data, address)
                self._copy.write_bytes(data)
                self._uploaded = len(data)
            self._file = Manifest(self._copy, reading=reading)
        except BaseException:
            self._leave_lock()
            raise
        self._renewing = threading.Thread(target=self._renew_again_and_again, name="kakudai-manifest", daemon=True)
        if not reading:
            self._renewing.start()

    def __enter__(self) -> "ObjectManifest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """What to call it."""
        return self.address

    def add(self, content: Run | Entry) -> None:
        """Write a line into the copy here.

        Raises:
            BucketError: This run has the manifest no more, see `check`.
        """
        self.check()
        self._file.add(content)

    def check(self) -> None:
        """Make sure that this run has the manifest still, as far as is known here.

        Raises:
            BucketError: Another run has taken over, or may do so, because the lock could not be renewed for long.
        """
        if self._lost is not None:
            raise BucketError(self._lost.message, self._lost.hint)
        seconds = time.monotonic() - self._renewed
        if seconds > STALE_SECONDS / 2:
            raise BucketError(f"{self._lock} could not be renewed for {seconds:.0f} s", GO_ON)

    def secure(self) -> None:
        """Upload what has been added.

        Raises:
            BucketError: That cannot be done, or another run has taken over.
        """
        with self._turn:
            self.check()
            self._renew()
            if self._copy.exists():
                data = self._copy.read_bytes()
                data = data[: data.rfind(b"\n") + 1]
                if len(data) != self._uploaded:
                    self.check()  # the renewal itself may have taken long
                    self._upload(data)
                    self._uploaded = len(data)

    def _upload(self, data: bytes) -> None:
        """Write the manifest; the first time only where there is none, unless an answer was lost and it is ours.

        Raises:
            BucketError: That cannot be done, or another has appeared.
        """
        try:
            self._store.write(data, self.address, create=self._is_absent)
        except OutputExists as error:
            found = self._store.read(self.address)
            if not found or not data.startswith(found):
                self._lost = BucketError(f"{self.address} has appeared meanwhile", GO_ON)
                raise self._lost from error
            if len(found) != len(data):
                self._store.write(data, self.address)
        self._is_absent = False

    def close(self) -> None:
        """Upload everything and let another run have it.

        Raises:
            BucketError: That cannot be done.
        """
        self._ended.set()
        try:
            try:
                self._file.close()
            finally:
                if not self._reading:
                    self._renewing.join()
                    self.secure()
        finally:
            self._leave_lock()

    @property
    def _lock(self) -> str:
        return f"{self.address}.lock"

    def _renew_again_and_again(self) -> None:
        """Upload from time to time, however long a picture takes; failures that do not pass are said by `check`."""
        while not self._ended.wait(UPLOAD_SECONDS):
            try:
                self.secure()
            except KakudaiError:  # of the network it may pass; if not, the lock becomes old
                continue
            except Exception as error:  # or nobody would hear of it
                said = f"{type(error).__name__}: {error}"
                self._lost = BucketError(f"{self.address} cannot be uploaded: {said}", GO_ON)

    def _mine(self) -> bytes:
        return json.dumps({"kakudai": "lock", "run": self._name, "at": time.time()}).encode()

    def _owner(self) -> tuple[str, float]:
        """Return the name of the run that has the lock, and when it was renewed; an empty name for none."""
        data = self._store.read(self._lock)
        if data is None:
            return "", 0.0
        try:
            fields = json.loads(data)
            return str(fields["run"]), float(fields["at"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{self._lock} is no lock of kakudai", "take it away, or use another prefix") from error

    def _take_lock(self) -> None:
        """Make the lock, or take over one that is stale.

        Raises:
            UsageError: Another run has it.
        """
        try:
            self._store.write(self._mine(), self._lock, create=True)
        except OutputExists:
            owner, renewed = self._owner()
            if owner != self._name:  # else the first answer was lost, and the second try found our own
                if owner and time.time() < renewed + STALE_SECONDS:
                    hint = (
                        f"wait until it has ended; of a run that was killed the lock goes after {STALE_SECONDS:.0f} s"
                    )
                    raise UsageError(f"another run is writing {self.address} ({owner})", hint) from None
                self._store.write(self._mine(), self._lock)
                time.sleep(CONFIRM_SECONDS)
                if self._owner()[0] != self._name:
                    raise UsageError(f"another run is writing {self.address}", "wait until it has ended") from None

    def _renew(self) -> None:
        owner, _ = self._owner()
        if owner != self._name:
            self._lost = BucketError(f"another run ({owner or 'now gone'}) has taken over {self.address}", GO_ON)
            raise self._lost
        began = time.monotonic()
        self._store.write(self._mine(), self._lock)
        self._renewed = began

    def _leave_lock(self) -> None:
        """Take the lock away if it is ours."""
        if not self._reading:
            with contextlib.suppress(KakudaiError):
                if self._owner()[0] == self._name:
                    self._store.remove(self._lock)
