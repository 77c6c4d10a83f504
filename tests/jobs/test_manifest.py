"""What is written is read again, whatever happens to the file; and nobody else writes meanwhile."""

import errno
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kakudai.errors import OutputError, UsageError
from kakudai.jobs.fingerprint import Stamp, is_same, stamp_file
from kakudai.jobs.lines import Entry, Run, read_line, write_line
from kakudai.jobs.manifest import Manifest, read_manifest

RUN = Run("0.1.0", {"scale": 2.0, "fit": None}, {"net": "ab"}, "onnxruntime", 5)
ENDLESS = write_line(RUN).replace(b'"started_ns":5', b'"started_ns":1e400').removesuffix(b"\n")
STAMP = Stamp(3, 1_700_000_000_123_456_789, "cd")


def entry(name: str = "a.png", **changes) -> Entry:
    fields = {"status": "done", "setting": RUN.setting, "at_ns": 7, "before": STAMP, "after": STAMP, **changes}
    return Entry(f"../in/{name}", name, **fields)


def write(path: Path, *contents: Run | Entry) -> None:
    with Manifest(path) as manifest:
        for content in contents:
            manifest.add(content)


@pytest.mark.parametrize(
    "content",
    [
        RUN,
        entry(),
        entry("x\udc80\n\u2028.png", status="failed", after=None, error="line\nbreak", hint="try", seconds=0.25),
        entry(status="begun", before=None, after=None),
        entry(pixels=2400, networks=("photo-x2", "art-x2")),
        entry(status="written", after=replace(STAMP, ctime_ns=8), reason="NoRoom"),
    ],
)
def test_a_line_comes_back_as_it_was(content: Run | Entry) -> None:
    line = write_line(content)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_line(line) == content


def test_a_setting_is_what_decides_the_bytes() -> None:
    assert Run("0.1.0", {"fit": None, "scale": 2.0}, {"other name": "ab"}, "openvino", 9).setting == RUN.setting
    for other in (
        Run("0.1.1", RUN.options, RUN.networks),
        Run("0.1.0", {**RUN.options, "scale": 3.0}, RUN.networks),
        Run("0.1.0", RUN.options, {"net": "ac"}),
    ):
        assert other.setting != RUN.setting


def test_nothing_is_made_before_there_is_something_to_say(tmp_path: Path) -> None:
    with Manifest(tmp_path / "out/m.jsonl"):
        pass
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept", [0, 1, 5, 60, -2, -1])
def test_a_line_that_was_cut_off_is_as_if_it_were_not(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "m.jsonl"
    write(path, RUN, entry("a.png"))
    whole = path.read_bytes()
    path.write_bytes(whole + write_line(entry("b.png"))[:kept])
    contents = read_manifest(path)
    assert (contents.entries, contents.corrupt) == ([entry("a.png")], [])
    write(path, entry("c.png"))
    assert path.read_bytes() == whole + write_line(entry("c.png"))


def test_the_very_first_line_may_be_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    for kept in (0, 1, 4, 30):
        path.write_bytes(write_line(RUN)[:kept])
        write(path, RUN, entry())
        assert read_manifest(path).entries == [entry()]


@pytest.mark.parametrize(
    "bad", [b"", b"\0\0\0\0", b"{}", b'{"schema":1,"kind":"picture"}', b"\xff\xfe", b'["schema"]', ENDLESS]
)
def test_a_damaged_line_is_named_and_costs_no_other(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(write_line(RUN) + bad + b"\n" + write_line(entry()))
    contents = read_manifest(path)
    assert contents.corrupt == [2]
    assert contents.entries == [entry()]


@pytest.mark.parametrize("data", [
    b"\x89PNG\r\n\x1a\n", b"hello\n", b'{"a": 1}\n', b'{"schema": 2, "kind": "run"}\n',
    b'{"schema": 1}', b'{"schema":1,"kind":"other"}', b'{"schema": 1, "input": "a.png", "status": "done"}\n',
])  # fmt: skip
def test_another_kind_of_file_stays_as_it_is(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError):
        Manifest(path)
    assert path.read_bytes() == data


def test_two_runs_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with Manifest(path) as first, Manifest(path) as second:
        first.add(RUN)
        with pytest.raises(UsageError, match="another run"):
            second.add(RUN)
        with pytest.raises(UsageError, match="another run"):
            Manifest(path)
        other = f"from kakudai.jobs.manifest import *\nManifest(Path({str(path)!r}))"
        result = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
        assert "another run" in result.stderr
    write(path, entry())
    assert read_manifest(path).entries == [entry()]


def test_what_cannot_be_written_can_be_read(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "m.jsonl"
    write(path, RUN, entry())
    real = os.open

    def read_only(name: Path, flags: int, *mode: int) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(name, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    with Manifest(path) as manifest:
        assert manifest.contents.entries == [entry()]
        with pytest.raises(OutputError, match="cannot write"):
            manifest.add(entry("b.png"))


def test_a_full_disk_is_an_error_and_costs_nothing(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "m.jsonl"
    write(path, RUN, entry("a.png"))
    real, calls = os.write, []

    def fills(file: int, data: bytes) -> int:
        if calls:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        calls.append(data)
        return real(file, data[:20])

    monkeypatch.setattr(os, "write", fills)
    with Manifest(path) as manifest, pytest.raises(OutputError, match="No space left") as caught:
        manifest.add(entry("b.png"))
    assert "goes on where it was" in caught.value.hint
    assert path.read_bytes() == write_line(RUN) + write_line(entry("a.png"))
    monkeypatch.undo()
    write(path, entry("c.png"))
    contents = read_manifest(path)
    assert (contents.entries, contents.corrupt) == ([entry("a.png"), entry("c.png")], [])


def test_a_file_is_the_same_by_size_and_time_or_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    stamp = stamp_file(path)
    os.utime(path, ns=(1, 1))
    assert is_same(path, stamp)
    path.write_bytes(b"two")
    assert not is_same(path, stamp)
    os.utime(path, ns=(stamp.mtime_ns, stamp.mtime_ns))
    assert not is_same(path, stamp)  # nobody can set when it was last changed in any way
    unread = replace(stamp_file(path), hash="of other bytes")
    assert is_same(path, unread)
    assert not is_same(path, unread, verify=True)
    path.unlink()
    assert not is_same(path, stamp)


def test_many_lines_are_read_in_no_time(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with path.open("wb") as file:
        for number in range(22_000):
            file.write(write_line(entry(f"{number}.png", status="begun", after=None)))
            file.write(write_line(entry(f"{number}.png", pixels=9, networks=("photo-x2",))))
    started = time.process_time()
    assert len(read_manifest(path).entries) == 44_000
    assert time.process_time() - started < 4  # measured: 0.7 s


def test_whoever_only_reads_disturbs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write(path, RUN, entry())
    with Manifest(path) as first, Manifest(path, reading=True) as second:
        assert second.contents == first.contents
        assert not second.is_writable
    with pytest.raises(UsageError, match="is a folder"):
        Manifest(tmp_path)
