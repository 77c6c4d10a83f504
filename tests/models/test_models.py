"""models/: what is found, what is refused and how it is said."""

import contextlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tests.small_models import CARD, build, convolutional, nearest, with_external_data, without_metadata

from kakudai.errors import ModelInvalid, ModelNotFound
from kakudai.models import find_model, list_models
from kakudai.models.onnx_file import read_metadata


def test_the_shipped_models_have_whole_cards() -> None:
    models = list_models()
    assert "photo-x2" in [model.name for model in models]
    for model in models:
        assert set(CARD) <= set(model.card)
        assert model.quality
        assert all(figures["psnr"] > 25 for figures in model.quality.values())
        assert model.card["licence"]
        assert model.card["data"]
        assert len(model.card["commit"]) >= 7
        assert find_model(model.name).data == model.data


def test_auto_and_photo_are_the_default() -> None:
    assert find_model("auto").name == find_model("photo").name == "photo-x2"


def test_metadata_agrees_with_the_onnx_package() -> None:
    data = convolutional()
    expected = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    assert read_metadata(data, "test") == expected


def test_a_model_is_found_by_path(tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(nearest(3))
    model = find_model(tmp_path / "own.onnx")
    assert (model.scale, model.halo, model.multiple) == (3, 0, 1)
    (tmp_path / "all.onnx").write_bytes(nearest(halo="none"))
    assert find_model(str(tmp_path / "all.onnx")).halo is None


def test_names_that_do_not_exist_get_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"did you mean 'photo'"):
        find_model("phto")
    with pytest.raises(ModelNotFound, match="there is no model, file or folder"):
        find_model(tmp_path / "missing.onnx")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ONNX network"),
        (b"this is text, not a network", "not an ONNX network"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not an ONNX network"),
        (nearest()[:200], "truncated"),
        (with_external_data(), "other files"),
        (without_metadata(), "no kakudai metadata"),
        (nearest(scale="two"), "makes no sense"),
        (nearest(scale="0"), "makes no sense"),
        (nearest(halo="-3"), "makes no sense"),
        (nearest(color="bgr"), "makes no sense"),
        (nearest(quality="[]"), "makes no sense"),
        (nearest(quality="{"), "makes no sense"),
        (nearest(quality="[" * 100_000), "makes no sense"),
        (nearest(parameters="many"), "makes no sense"),
    ],
)
def test_files_that_cannot_be_used_are_named_with_a_hint(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelInvalid, match=message) as caught:
        find_model(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_missing_metadata_points_to_the_importer(tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(without_metadata())
    with pytest.raises(ModelInvalid) as caught:
        find_model(tmp_path / "foreign.onnx")
    assert "kakudai models import" in caught.value.hint


def external(tensor: TensorProto) -> TensorProto:
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


@pytest.mark.parametrize("place", ["attribute", "subgraph", "sparse", "function"])
def test_external_data_is_found_wherever_it_hides(place: str) -> None:
    model = onnx.load_from_string(build([helper.make_node("Identity", ["x"], ["y"])], {}))
    tensor = external(numpy_helper.from_array(np.zeros(1, np.float32), "hidden"))
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    if place == "attribute":
        model.graph.node.append(constant)
    elif place == "subgraph":
        branch = helper.make_graph([constant], "branch", [], [])
        model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch))
    elif place == "sparse":
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    else:
        model.functions.append(helper.make_function("d", "f", [], [], [constant], []))
    with pytest.raises(ModelInvalid, match="other files"):
        read_metadata(model.SerializeToString(), "test")


def test_nesting_without_end_is_refused() -> None:
    def wrap(number: int, message: bytes) -> bytes:
        size, length = len(message), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + message

    graph = b""
    for _ in range(500):
        graph = wrap(1, wrap(5, wrap(6, graph)))  # node, attribute, graph
    with pytest.raises(ModelInvalid, match="nested"):
        read_metadata(wrap(7, graph), "test")


def test_a_file_of_nothing_but_tiny_fields_is_refused_soon() -> None:
    with pytest.raises(ModelInvalid, match="more than"):
        read_metadata(nearest() + b"\x08\x00" * 3_000_000, "test")


def test_a_key_that_other_parsers_would_cut_short_is_refused() -> None:
    """Read in full it is an unknown field; of its lower 32 bits C++ makes the field of external data."""
    key = (13 << 3 | 2) | 1 << 32
    varint = bytes(key >> 7 * place & 127 | (128 if place < 4 else 0) for place in range(5))
    tensor = varint + b"\x02\x0a\x00"
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    with pytest.raises(ModelInvalid, match="key"):
        read_metadata(nearest() + b"\x3a" + bytes([len(graph)]) + graph, "test")


@pytest.mark.parametrize("name", ["", "a" * 5000, "a" * 5000 + ".onnx", "a\0b", "a\0b.onnx", "/tmp", "..", "/dev/null"])
def test_names_that_can_be_no_file_are_not_found(name: str) -> None:
    with pytest.raises(ModelNotFound):
        find_model(name)


def test_a_file_that_is_too_large_is_refused_and_not_read_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("kakudai.models.catalogue.MAX_BYTES", 1 << 20)
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelInvalid, match="larger than 1 MiB"):
        find_model(tmp_path / "large.onnx")


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_an_error_or_metadata(data: bytes) -> None:
    with contextlib.suppress(ModelInvalid):
        read_metadata(data, "test")


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_file_is_an_error_or_metadata(position: int, value: int) -> None:
    data = bytearray(convolutional())
    data[position % len(data)] = value
    with contextlib.suppress(ModelInvalid):
        read_metadata(bytes(data), "test")


def test_quality_is_read_from_json(tmp_path: Path) -> None:
    figures = {"Set5 x2": {"psnr": 37.5, "ssim": 0.95, "protocol": "luma"}}
    (tmp_path / "own.onnx").write_bytes(nearest(quality=json.dumps(figures)))
    assert find_model(tmp_path / "own.onnx").quality == figures
