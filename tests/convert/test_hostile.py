"""Model files that are damaged or mean harm: one clear error each, nothing executed, nothing kept."""

import contextlib
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
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
from kakudai.convert.graph import GraphBuilder
from kakudai.convert.source import read_source
from kakudai.convert.unpickle import check_archive, read_tensors
from kakudai.engine.loading import import_model, load_model
from kakudai.errors import ModelError, ModelInvalid, ModelNotFound
from kakudai.models import store
from kakudai.networks.srvgg import SRVGGNetCompact

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
    """What `torch.jit.save` writes: its code, and nothing else, is compressed."""
    with zipfile.ZipFile(tmp_path / "program.pt", "w") as archive:
        archive.writestr("program/code/__torch__.py", "import os", zipfile.ZIP_DEFLATED)
        archive.writestr("program/data.pkl", b"\x80\x02}.")
    return (tmp_path / "program.pt").read_bytes()


def other_archive(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    return (tmp_path / "other.zip").read_bytes()


def of_compact(**changes: torch.Tensor) -> bytes:
    """A small SRVGGNetCompact with some weights changed, or more of them."""
    state = SRVGGNetCompact(convolutions=2, channels=8).state_dict()
    return save(state | {name.replace("_", "."): value for name, value in changes.items()})


def of_edsr(block: int) -> bytes:
    shapes = {"conv_first": (8, 3), f"body.{block}.conv1": (8, 8), "upsample.0": (32, 8), "conv_last": (3, 8)}
    return save({f"{name}.weight": torch.ones(*shape, 3, 3) for name, shape in shapes.items()})


def own(**metadata: str) -> bytes:
    return save({"a": torch.ones(3)}, {"network": "espcn", "arguments": "{}", "scale": "2", **metadata})


def resized(factor: float, *, unused: int = 1) -> bytes:
    """A network that enlarges by a factor, and makes a constant of some side that nothing needs."""
    builder = GraphBuilder()
    builder.unary("ConstantOfShape", builder.constant(np.full(2, unused, np.int64)))
    y = builder.resize(builder.input, factor)
    return builder.model(builder.multiply(y, builder.global_average_pool(y))).SerializeToString()


def endless() -> bytes:
    """A network that never comes to an end."""
    kinds = {"number": onnx.TensorProto.INT64, "more": onnx.TensorProto.BOOL, "picture": onnx.TensorProto.FLOAT}
    given = [onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()]
    results = [onnx.helper.make_tensor_value_info(f"{name}.next", kinds[name], None) for name in ("more", "picture")]
    steps = [onnx.helper.make_node("Identity", [name], [f"{name}.next"]) for name in ("more", "picture")]
    body = onnx.helper.make_graph(steps, "body", given, results)
    builder = GraphBuilder()
    count, always = builder.constant(np.array(1 << 62)), builder.constant(np.array(True))
    return builder.model(builder._add("Loop", [count, always, builder.input], body=body)).SerializeToString()


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
    ("text.pth", lambda tmp: b"this is text", "neither PyTorch's nor a safetensors file"),
    ("numbers.pth", lambda tmp: pickled({"epoch": 3}), "no tensors"),
    ("cut.safetensors", lambda tmp: save({"a": torch.zeros(100)})[:-8], "damaged"),
    ("header.safetensors", lambda tmp: huge_header(), "header of"),
    ("overlap.safetensors", lambda tmp: overlapping(), "damaged"),
    ("nan.safetensors", lambda tmp: not_a_number(), "not numbers in 'body.0.weight'"),
    ("none.safetensors", lambda tmp: of_compact(body_0_weight=torch.zeros(8, 0, 3, 3)), "no weights of a network"),
    ("complex.safetensors", lambda tmp: save({"a": torch.zeros(2).to(torch.complex64)}), "no weights of a network"),
    (
        "f8.safetensors",
        lambda tmp: save({"a": torch.full((2,), torch.nan).to(torch.float8_e5m2)}),
        "not numbers in 'a'",
    ),
    (
        "endless.safetensors",
        lambda tmp: of_compact(**{f"body_{10**9}_weight": torch.ones(3, 8, 3, 3)}),
        "convolutions is",
    ),
    ("endless.pth", lambda tmp: of_edsr(10**9), "blocks is 1000000001"),
    (
        "rgba.safetensors",
        lambda tmp: save(SRVGGNetCompact(in_channels=4, channels=8).state_dict()),
        "4 channels|no network",
    ),
    ("channels.safetensors", lambda tmp: own(in_channels="x"), "metadata makes no sense"),
    ("scale.safetensors", lambda tmp: own(scale="300"), "it enlarges 300 times"),
    (
        "widths.safetensors",
        lambda tmp: own(network="waifu2x", arguments=json.dumps({"filters": "1-" * 9999})),
        "19998 char",
    ),
    (
        "kwargs.pth",
        lambda tmp: pickled({"name": "waifu2x.cunet", "kwargs": {"in_channels": "x"}, **WEIGHTS}),
        "no network",
    ),
    ("large.onnx", lambda tmp: resized(1000), "cannot run"),
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


def test_a_network_that_never_ends_is_stopped(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakudai.engine.loading.PROBE_SECONDS", 0.2)
    (tmp_path / "endless.onnx").write_bytes(endless())
    with pytest.raises(ModelInvalid, match="cannot run the network"):
        load_model(tmp_path / "endless.onnx")


def test_constants_that_nothing_needs_are_not_made(tmp_path: Path, home: Path) -> None:
    """The runtime leaves them out; whoever looks at the graph must not make them either."""
    (tmp_path / "odd.onnx").write_bytes(resized(2, unused=1 << 20))
    with contextlib.suppress(ModelInvalid):
        load_model(tmp_path / "odd.onnx")


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


def test_many_weights_of_long_names_come_along() -> None:
    """What the other process hands over has a header of more than a MiB."""
    state = {f"{number}." + "x" * 200: torch.zeros(1) for number in range(3000)}
    assert len(read_tensors(pickled(state), "test")[0]) == len(state)


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
