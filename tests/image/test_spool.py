"""image/spool.py: arrays in files are arrays, and a disk without room is said."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from kakudai.errors import OutputError
from kakudai.image.spool import MEMORY, Room, forget, mapping_of, strips, together


def test_large_arrays_lie_in_files_without_a_name(tmp_path: Path) -> None:
    room = Room(tmp_path, 1000)
    small, large = room.array((10, 10, 3), np.uint8), room.array((10, 40, 3), np.uint8)
    assert mapping_of(small) is None
    assert mapping_of(large[2:, ::-1].transpose(1, 0, 2)) is not None
    assert list(tmp_path.iterdir()) == []
    assert mapping_of(MEMORY.array((3000, 3000, 1), np.uint16)) is None


def test_what_is_forgotten_is_still_there(tmp_path: Path) -> None:
    array = Room(tmp_path, 0).array((300, 50, 3), np.uint16)
    expected = np.random.default_rng(0).integers(0, 65536, array.shape).astype(np.uint16)
    together(strips(expected, 7), array)
    forget(array, None, expected)
    np.testing.assert_array_equal(np.concatenate(list(strips(array))), expected)


def test_memory_is_given_back(tmp_path: Path) -> None:
    status = Path("/proc/self/smaps_rollup")
    if not status.exists():
        pytest.skip("this system does not say what is resident")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    array = Room(tmp_path, 0).array((4000, 4000, 1), np.uint8)
    array[:] = 1
    full = resident()
    forget(array)
    assert full - resident() > 12_000_000


def test_what_others_have_mapped_is_not_forgotten(tmp_path: Path) -> None:
    """Changes to a private mapping exist in memory only."""
    np.zeros((100, 100, 3), np.uint8).tofile(tmp_path / "x")
    array = np.memmap(tmp_path / "x", np.uint8, "c", shape=(100, 100, 3))
    array[:] = 77
    forget(array, array[5:].transpose(1, 0, 2))
    assert (array == 77).all()


def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch) -> None:
    def full(number: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="no room for 1200 bytes"):
        Room(tmp_path, 0).array((20, 20, 3), np.uint8)


def test_a_system_that_cannot_reserve_gets_zeros(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    array = Room(tmp_path, 0).array((1100, 1000, 1), np.uint8)
    assert not array.any()
