"""Records as files, and folders of them as a history."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from tests.bench.records import record

from kakudai.bench import record as module
from kakudai.bench.record import Extent, commit, from_json, generation, history, last_two, new_record, read_record
from kakudai.errors import UsageError


def write(folder: Path, *records: module.Record) -> None:
    for entry in records:
        (folder / entry.file_name).write_text(json.dumps(entry.as_json()))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, record())
    path = tmp_path / "a-processor-r-7-family-1-model-2-avx2-x2-aaa.json"
    assert read_record(path) == record()
    assert json.loads(path.read_text())["schema"] == 1


def test_there_is_one_file_for_each_machine_and_commit() -> None:
    plain = replace(record("bbb"), generation="")
    assert plain.file_name == "a-processor-r-7-x2-bbb.json"
    assert plain.place == "2 x A Processor (R) 7"
    assert replace(plain, commit="bbb+").file_name == "a-processor-r-7-x2-bbb-changed.json"
    assert replace(plain, commit="").file_name == "a-processor-r-7-x2-0.1.0.json"
    assert replace(plain, processor="???").machine == "unknown-x2"


def test_what_is_less_or_more_than_usual_replaces_nothing() -> None:
    names = {replace(record(), extent=extent).file_name for extent in get_args(Extent)}
    assert len(names) == 4


CPUINFO = {
    "processor: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t: fpu avx2 avx512f\n"
    "\nprocessor: 1\nmodel\t: 99\n": "family 25 model 17 avx512f",
    "processor: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n": (
        "implementer 0x41 part 0xd0c asimddp"
    ),
    "cpu: POWER9\n": "",
}


@pytest.mark.parametrize(("text", "expected"), CPUINFO.items(), ids=["x86", "arm", "other"])
def test_processors_of_one_name_are_told_apart(text: str, expected: str, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(module, "PROCESSORS", tmp_path / "cpuinfo")
    assert generation() == expected
    monkeypatch.setattr(module, "PROCESSORS", tmp_path / "none")
    assert generation() == ""


def test_a_new_record_says_what_it_was_measured_with() -> None:
    made = replace(new_record(processor="p", processors=1, extent="quick"), measured=record().measured)
    assert made.versions["onnxruntime"]
    assert "numpy" in made.versions
    assert made.date.endswith("+00:00")
    assert made.load is None or made.load >= 0
    assert from_json(json.loads(json.dumps(made.as_json()))) == made


def test_the_two_newest_of_the_machine_that_was_measured_last(tmp_path: Path) -> None:
    days = [f"2026-01-0{day}T00:00:00+00:00" for day in (1, 2, 3, 4)]
    other = replace(record("ccc", date=days[2]), processors=64)
    write(tmp_path, record("bbb", date=days[3]), other, record("zzz", date=days[0]), record("aaa", date=days[1]))
    entries = history(tmp_path)
    assert [entry.commit for _, entry in entries] == ["zzz", "aaa", "ccc", "bbb"]
    assert [path.stem[-3:] for path in last_two(entries)] == ["aaa", "bbb"]
    with pytest.raises(UsageError, match="has 1 record of this machine"):
        last_two([entries[0], (tmp_path / "x", replace(record(), extent="quick"))])
    with pytest.raises(UsageError, match="has 1 record of this machine"):
        last_two(entries[:1])
    with pytest.raises(UsageError, match="has 0 records"):
        last_two([])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "measured": {"blocks": [], "missing": []}}', "[" * 100_000],
    ids=["empty", "array", "object", "other schema", "incomplete", "nested"],
)
def test_what_is_no_record_is_named_and_the_history_goes_on(text: str, tmp_path: Path, caplog) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=r"x\.json is no record of kakudai bench"):
        read_record(tmp_path / "x.json")
    write(tmp_path, record())
    assert [entry for _, entry in history(tmp_path)] == [record()]
    assert "x.json is no record" in caplog.text


def test_no_times_are_no_record(tmp_path: Path) -> None:
    values = record().as_json()
    values["measured"]["blocks"][0]["timed"][0]["seconds"] = []
    (tmp_path / "x.json").write_text(json.dumps(values))
    with pytest.raises(UsageError, match="is no record"):
        read_record(tmp_path / "x.json")
    with pytest.raises(UsageError, match="cannot be read"):
        read_record(tmp_path / "none.json")
    with pytest.raises(UsageError, match="there is no history at"):
        history(tmp_path / "none")


def test_installed_programs_have_no_commit(monkeypatch) -> None:
    monkeypatch.setattr(module, "checkout", lambda: None)
    assert commit() == ""
    assert module.usual_folder() is None
