"""Pictures here and in buckets, by their names: a name is a path or an address."""

import os
import secrets
from pathlib import Path

from kakudai.errors import PictureError
from kakudai.jobs.address import is_address, lies_in
from kakudai.jobs.fingerprint import Stamp, is_same, stamp_file
from kakudai.jobs.places import Places
from kakudai.jobs.store import State, Store

HEADROOM = 1 << 20
"""Bytes that an object may have grown by when it is fetched to be looked at; of inputs not one."""


class Sides:
    """What is known of files and objects, and how a manifest names them.

    What a list has told of a prefix is believed until we write there ourselves: one request for a thousand objects,
    rather than one for each.

    Args:
        scratch: A folder for what is fetched only to be looked at.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._places: Places | None = None
        self._stores: dict[str, Store] = {}
        self._states: dict[str, State | None] = {}
        self._listed: set[str] = set()

    def store(self, address: str) -> Store:
        """Return what holds an object.

        Raises:
            UsageError: The protocol is unknown, or its package is missing.
            BucketError: It cannot be reached.
        """
        bucket = "/".join(address.split("/")[:3])
        if bucket not in self._stores:
            self._stores[bucket] = Store(address)
        return self._stores[bucket]

    def below(self, prefix: str, *, recursive: bool = True) -> dict[str, State]:
        """Return all objects below a prefix, and remember them; see `Store.below`."""
        found = self.store(prefix).below(prefix, recursive=recursive)
        self._states.update(found)
        if recursive:
            self._listed.add(prefix)
        return found

    def state(self, address: str) -> State | None:
        """Return what is known of an object; ask only where no list has told it."""
        if address not in self._states:
            is_listed = any(lies_in(address, prefix) for prefix in self._listed)
            self._states[address] = None if is_listed else self.store(address).look(address)
        return self._states[address]

    def remember(self, address: str, state: State) -> None:
        """Take what we have written ourselves."""
        self._states[address] = state

    def exists(self, name: str) -> bool:
        """Say whether there is a file or an object of that name."""
        return self.state(name) is not None if is_address(name) else os.path.lexists(name)

    def relate(self, manifest: Path) -> None:
        """Name files as a manifest does that lies here: from its own folder."""
        self._places = Places(manifest.parent)

    def key(self, name: str) -> str:
        """Return what a manifest calls a picture: its address; a path from a manifest that lies here, else whole."""
        if is_address(name):
            return name
        path = Path(name)
        return self._places.key(path) if self._places else (Path(os.path.realpath(path.parent)) / path.name).as_posix()

    def path(self, key: str) -> str:
        """Return the picture that is called so."""
        return str(self._places.path(key)) if self._places and not is_address(key) else key

    def is_same(self, name: str, stamp: Stamp, *, verify: bool = False) -> bool:
        """Say whether a picture is what it was when it was stamped; with `verify`, by its bytes."""
        if not is_address(name):
            return is_same(name, stamp, verify=verify)
        state = self.state(name)
        if state is None or not state.is_same(State(stamp.size, stamp.mtime_ns, stamp.tag)):
            return False
        return not verify or self.has_bytes(name, stamp)

    def has_bytes(self, address: str, stamp: Stamp) -> bool:
        """Say whether an object has the very bytes of a stamp, by fetching it.

        Raises:
            BucketError: It cannot be fetched.
        """
        path = self._scratch / secrets.token_hex(8)
        try:
            self.store(address).fetch(address, path, stamp.size + HEADROOM)
            return stamp_file(path).hash == stamp.hash
        except PictureError:  # gone meanwhile
            return False
        finally:
            path.unlink(missing_ok=True)


def stamped(stamp: Stamp, state: State) -> Stamp:
    """Return the stamp of an object: the hash of its bytes, and what its server says of it."""
    return Stamp(stamp.size, state.mtime_ns, stamp.hash, 0, state.tag)
