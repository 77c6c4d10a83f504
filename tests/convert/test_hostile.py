"""Model files that are damaged or mean harm: one clear error each, nothing executed, nothing kept."""

import contextlib
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from tests.convert.foreign_networks import (
    Foreign,
    with_a_weight_that_is_no_number,
    with_custom_operator,
    with_external_data,
)
from tests.convert.weight_files import RunsCode, pickled, squeezed

from kakudai.cli.main import run
from kakudai.convert import unpickle
from kakudai.convert.source import read_source
from kakudai.convert.unpickle import check_archive, read_tensors
from kakudai.engine.loading import import_model, load_model
from kakudai.errors import ModelError, ModelInvalid, ModelNotFound
from kakudai.models import store

WEIGHTS = {"params": {"a.weight": torch.rand(3, 4)}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def huge_header() -> bytes:
    return struct.pack("<Q", 2 << 20) + b"{" + b" " * (2 << 20)


def overlapping() -> bytes:
    part = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header = json.dumps({"a": part, "b": part}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


def not_a_number() -> bytes:
    return save({"body.0.weight": torch.full((4, 3, 3, 3), float("nan"))})


def with_an_entry_that_lies() -> bytes:
    data = bytearray(pickled(WEIGHTS))
    place = data.rindex(b"PK\x01\x02")  # the last entry of the directory; its sizes stand 20 and 24 bytes further on
    data[place + 20 : place + 28] = struct.pack("<II", 1 << 30, 1 << 30)
    return bytes(data)


def torchscript(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "program.pt", "w") as archive:
        archive.writestr("program/code/__torch__.py", "import os")
        archive.writestr("program/data.pkl", b"\x80\x02}.")
    return (tmp_path / "program.pt").read_bytes()


def other_archive(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    return (tmp_path / "other.zip").read_bytes()


HOSTILE: list[tuple[str, Callable[[Path], bytes], str]] = [
    ("code.pth", lambda tmp: pickled({"a": RunsCode(str(tmp / "executed"))}), "wants more than tensors: posix.system"),
    ("code.pt", lambda tmp: pickled(RunsCode(str(tmp / "executed")), legacy=True), "might run code"),
    ("bomb.pth", lambda tmp: squeezed(pickled({"a": torch.zeros(1 << 20)})), "compressed archive"),
    ("lies.pth", lambda tmp: with_an_entry_that_lies(), "claims to hold more|damaged"),
    ("expanded.pth", lambda tmp: pickled({"a": torch.zeros(1).expand(1 << 33)}), "more numbers than the file holds"),
    ("cut.pth", lambda tmp: pickled(WEIGHTS)[:-200], "damaged archive"),
    ("cut.ckpt", lambda tmp: pickled(WEIGHTS, legacy=True)[:-8], "damaged, or holds no weights"),
    ("script.pt", torchscript, "programs are not run"),
    ("other.pth", other_archive, "no weights of PyTorch"),
    ("text.pth", lambda tmp: b"this is text", "no safetensors file, or is truncated"),
    ("numbers.pth", lambda tmp: pickled({"epoch": 3}), "no tensors"),
    ("cut.safetensors", lambda tmp: save({"a": torch.zeros(100)})[:-8], "damaged"),
    ("header.safetensors", lambda tmp: huge_header(), "header of"),
    ("overlap.safetensors", lambda tmp: overlapping(), "damaged"),
    ("nan.safetensors", lambda tmp: not_a_number(), "not numbers in 'body.0.weight'"),
    ("custom.onnx", lambda tmp: with_custom_operator(), "com.example"),
    ("external.onnx", lambda tmp: with_external_data(), "other files"),
    ("nan.onnx", lambda tmp: with_a_weight_that_is_no_number(), "not numbers"),
    ("cut.onnx", lambda tmp: Foreign().data()[:-100], "truncated"),
    ("array.json", lambda tmp: b"[1, 2, 3]", "array.json|array"),
    ("deep.json", lambda tmp: b"[" * 200_000, "deep"),
    ("number.json", lambda tmp: b"[" + b"9" * 10_000 + b"]", "number"),
    ("odd.param", lambda tmp: b"7767517\n1 1\nInput in 0 1 data\n", "odd"),
    ("empty.onnx", lambda tmp: b"", "is empty"),
    ("picture.png", lambda tmp: b"\x89PNG\r\n\x1a\n" + bytes(100), "no model file that kakudai knows"),
    ("packed.7z", lambda tmp: b"7z\xbc\xaf" + bytes(100), "7-Zip archive"),
]


@pytest.mark.parametrize(("name", "content", "message"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_one_clear_error_and_nothing_else(
    name: str, content: Callable[[Path], bytes], message: str, tmp_path, home
) -> None:
    path = tmp_path / name
    path.write_bytes(content(tmp_path))
    if path.suffix == ".param":
        path.with_suffix(".bin").write_bytes(bytes(8))
    with pytest.raises(ModelError, match=message) as caught:
        load_model(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 500
    assert not (tmp_path / "executed").exists()
    assert not home.exists()


def test_the_command_says_it_in_one_line_and_imports_nothing(tmp_path: Path, home: Path, capsys) -> None:
    (tmp_path / "custom.onnx").write_bytes(with_custom_operator())
    assert run(["models", "import", str(tmp_path / "custom.onnx")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert store.imported_names() == []


def test_a_param_without_its_weights_and_a_bin_alone(tmp_path: Path) -> None:
    (tmp_path / "a.param").write_text("7767517\n1 1\nInput in 0 1 data\n")
    with pytest.raises(ModelNotFound, match=r"there is no a\.bin"):
        read_source(tmp_path / "a.param")
    (tmp_path / "b.bin").write_bytes(bytes(16))
    with pytest.raises(ModelInvalid, match=r"no \.param file beside it"):
        read_source(tmp_path / "b.bin")
    (tmp_path / "a.bin").write_bytes(bytes(16))
    assert read_source(tmp_path / "a.bin").kind == "ncnn"


def test_an_old_torch_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    from kakudai.errors import RuntimeUnavailable

    monkeypatch.setattr(unpickle.metadata, "version", lambda name: "2.9.1+cpu")
    with pytest.raises(RuntimeUnavailable, match=r"torch 2\.9\.1\+cpu has faults"):
        read_tensors(pickled(WEIGHTS), "old")


def test_a_reader_that_hangs_or_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickle, "SECONDS", 0.01)
    with pytest.raises(ModelInvalid, match="was not read within"):
        read_tensors(pickled(WEIGHTS), "slow")
    monkeypatch.setattr(unpickle, "SECONDS", 60)
    monkeypatch.setattr(unpickle.sys, "executable", "/bin/false")
    with pytest.raises(ModelInvalid, match="the reader ended with"):
        read_tensors(pickled(WEIGHTS), "dead")


def test_what_files_hold_beside_tensors_comes_along_and_order_is_kept() -> None:
    state = {
        "b": torch.ones(2),
        "a": torch.zeros(3),
        "name": "waifu2x.cunet",
        "kwargs": {"in_channels": 3},
        "list": [1],
    }
    tensors, plain = read_tensors(pickled(state), "test")
    assert list(tensors) == ["b", "a"]
    assert plain == {"name": "waifu2x.cunet", "kwargs/in_channels": 3}


def test_a_safetensors_file_is_never_taken_for_a_pickle(tmp_path: Path) -> None:
    """Its first byte is the lower part of a length, and may be the mark that pickles begin with."""
    for length in (0x80, 0x280, 0x480):
        part = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode().ljust(length)
        data = struct.pack("<Q", length) + part + bytes(4)
        (tmp_path / "weights").write_bytes(data)
        assert read_source(tmp_path / "weights").kind == "safetensors"
        assert list(read_tensors(data, "test")[0]) == ["a"]


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_archive_is_an_error_or_an_archive(position: int, value: int) -> None:
    data = bytearray(pickled(WEIGHTS))
    data[position % len(data)] = value
    with contextlib.suppress(ModelInvalid):
        check_archive(bytes(data), "test")


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_arbitrary_bytes_are_no_safetensors_file(data: bytes) -> None:
    with pytest.raises(ModelInvalid):
        read_tensors(b"\x00" + data, "test")


def test_an_import_that_fails_leaves_the_old_model(tmp_path: Path, home: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(Foreign().data())
    import_model(tmp_path / "good.onnx", name="mine")
    before = load_model("mine").data
    (tmp_path / "bad.onnx").write_bytes(with_a_weight_that_is_no_number())
    with pytest.raises(ModelInvalid):
        import_model(tmp_path / "bad.onnx", name="mine", replace_old=True)
    assert load_model("mine").data == before
    assert np.array_equal(store.imported_names(), ["mine"])
