"""engine/runtimes/ncnn.py: files of ncnn run as they are, and our own networks too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.convert.native import NcnnModel

from kakudai import Upscaler
from kakudai.convert.card import finish
from kakudai.convert.ncnn_file import convert_ncnn
from kakudai.engine.loading import load_model
from kakudai.engine.runtimes import available, open_session
from kakudai.errors import ModelInvalid
from kakudai.models import Model, find_model
from kakudai.models.catalogue import model_from_bytes


def picture(height: int = 20, width: int = 24) -> np.ndarray:
    return np.random.default_rng(0).random((1, 3, height, width), np.float32)


def foreign() -> Model:
    """An unpadded network that came as ncnn's two files."""
    made = NcnnModel()
    made.convolution(6, 3, 5, "9=1")
    made.convolution(12, 6, 1)
    made.layer("PixelShuffle", "0=2")
    model = model_from_bytes(finish(convert_ncnn(made.param, made.weights, "small")), "small")
    return replace(model, native=(made.param.encode(), made.weights))


def test_ncnn_is_known_and_never_taken_unasked() -> None:
    found = available()
    assert [entry.name for entry in found][-2:] == ["ncnn", "torch"]
    assert open_session(find_model("photo-x2")).name in ("openvino", "onnxruntime")


def test_the_original_files_are_run() -> None:
    model = foreign()
    session = open_session(model, runtime="ncnn", threads=1)
    assert session.name == "ncnn"
    expected = open_session(model, runtime="onnxruntime", threads=1).run(picture())
    np.testing.assert_allclose(session.run(picture()), expected, atol=1e-5)
    assert expected.shape == (1, 3, 40, 48)
    both = np.concatenate([picture(), 1 - picture()])
    np.testing.assert_allclose(session.run(both)[:1], session.run(picture()), atol=1e-6)
    # It is the .bin that runs, and not the ONNX file beside it.
    assert model.native is not None
    louder = np.frombuffer(model.native[1], "<f4").copy()
    louder[1:] *= 2
    changed = replace(model, native=(model.native[0], louder.tobytes()))
    assert float(np.abs(open_session(changed, runtime="ncnn", threads=1).run(picture()) - expected).max()) > 0.1


def test_our_own_networks_are_written_for_it() -> None:
    model = find_model("photo-x2")
    y = open_session(model, runtime="ncnn", threads=1).run(picture())
    np.testing.assert_allclose(y, open_session(model, runtime="onnxruntime", threads=1).run(picture()), atol=1e-4)


@pytest.mark.parametrize(("model", "denoise"), [("photo-x2", 0), ("photo-restore-x2", 40)])
def test_upscaler_takes_it(model: str, denoise: int) -> None:
    image = (picture(40, 44)[0].transpose(1, 2, 0) * 255).astype(np.uint8)
    words = {"model": model, "denoise": denoise}
    with (
        Upscaler(2, runtime="ncnn", tile=32, **words) as one,
        Upscaler(2, runtime="onnxruntime", tile=0, **words) as other,
    ):
        difference = np.abs(one.upscale(image).astype(int) - other.upscale(image))
    assert int(difference.max()) <= 1


def test_damaged_files_are_an_error() -> None:
    model = foreign()
    assert model.native is not None
    with pytest.raises(ModelInvalid, match="ncnn refuses small"):
        open_session(replace(model, native=(b"7767517\n1 1\n", b"")), runtime="ncnn", threads=1)


@pytest.mark.real
def test_a_real_file_in_both_runtimes(shared: Path) -> None:
    model = load_model(shared / "models/waifu2x-ncnn/models-upconv_7_photo-scale2.0x_model.param")
    expected = open_session(model, runtime="onnxruntime", threads=1).run(picture())
    np.testing.assert_allclose(open_session(model, runtime="ncnn", threads=1).run(picture()), expected, atol=1e-4)
