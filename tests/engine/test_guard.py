"""engine/guard.py: every kind of wrong tile is caught; what legitimate networks do to difficult pictures is not."""

from pathlib import Path

import numpy as np
import pytest
from tests.small_models import convolutional, spoiled
from tests.upscalers import give_session

from kakudai import read_image
from kakudai.engine.guard import fault
from kakudai.engine.loading import load_model
from kakudai.engine.passes import to_planes
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import WrongResult
from kakudai.models import find_model


def photograph(size: int = 96) -> np.ndarray:
    """Colourful, smooth and detailed at once."""
    y, x = np.mgrid[:size, :size] / size
    noise = np.random.default_rng(0).normal(0, 0.05, (size, size, 3))
    image = np.stack([x, 0.8 - 0.6 * y, 0.3 + 0.2 * np.sin(9 * x * y)], axis=2) + noise
    return (255 * image.clip(0, 1)).astype(np.uint8)


@pytest.fixture
def load(tmp_path: Path):
    def load(data: bytes):
        (tmp_path / "test.onnx").write_bytes(data)
        return find_model(tmp_path / "test.onnx")

    return load


@pytest.mark.parametrize(
    ("kind", "message"),
    [("nan", "no numbers"), ("inf", "no numbers"), ("zeros", "moved"), ("half", "moved"), ("shift", "moved"),
     ("swap", "moved"), ("wrong-size", "shape")],
)  # fmt: skip
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_network_that_fails_is_an_error_and_never_a_picture(kind: str, message: str, runtime, load) -> None:
    with (
        Upscaler(model=load(spoiled(kind)), runtime=runtime) as upscaler,
        pytest.raises(WrongResult, match=message),
    ):
        upscaler.upscale(photograph())


def test_a_network_made_to_please_the_eye_may_move_colours_and_not_spoil_them(shared: Path) -> None:
    """The green of this photograph of 2002 becomes 0.03 darker, which a faithful network is not forgiven."""
    model = load_model(shared / "models/realesr-ncnn/realesr-animevideov3-x2.param")
    picture = read_image(shared / "data/test/real-jpeg/Canon_PowerShot_S330.jpg").color
    top, left = (side // 2 - 64 for side in picture.shape[:2])
    picture = picture[top : top + 128, left : left + 128]
    with Upscaler(model=model) as upscaler:
        upscaler.upscale(picture)
    x = to_planes(picture)[0]
    y = enlarged(x)
    for wrong in (0.5 * y, y[::-1], y + np.float32(0.1)):
        assert fault(x, wrong, 2, model.leeway) is not None


def test_one_bad_square_in_a_good_tile_is_caught() -> None:
    x = photograph().transpose(2, 0, 1).astype(np.float32) / 255
    y = x.repeat(2, axis=1).repeat(2, axis=2)
    assert fault(x, y, 2) is None
    y[:, 64:96, 64:96] = 0
    assert fault(x, y, 2) is not None


def enlarged(x: np.ndarray) -> np.ndarray:
    return x.repeat(2, axis=1).repeat(2, axis=2)


@pytest.mark.parametrize("size", [1, 2, 5, 16, 100])
@pytest.mark.parametrize("value", [0.03, 0.1, 0.4])
def test_black_is_caught_however_small_or_dark_the_picture(size: int, value: float) -> None:
    x = np.full((3, size, size), value, np.float32)
    assert fault(x, enlarged(x), 2) is None
    assert fault(x, 0 * enlarged(x), 2) is not None


def test_black_is_caught_in_a_night_picture_that_is_almost_black() -> None:
    x = (np.random.default_rng(0).random((3, 64, 64), np.float32) ** 12) / 10
    assert x.mean() < 0.01
    assert fault(x, enlarged(x), 2) is None
    assert fault(x, 0 * enlarged(x), 2) is not None


def test_a_lost_channel_is_caught_and_a_flat_picture_has_none() -> None:
    x = photograph().transpose(2, 0, 1).astype(np.float32) / 255
    y = enlarged(x)
    y[2] = y[2].mean()
    assert fault(x, y, 2) is not None
    flat = np.broadcast_to(np.array([1, 0.5, 0], np.float32)[:, None, None], (3, 40, 40)).copy()
    assert fault(flat, enlarged(flat), 2) is None


@pytest.mark.parametrize("size", [47, 64, 95])
@pytest.mark.parametrize("edge", ["bottom", "right"])
def test_a_spoiled_edge_is_caught_where_squares_do_not_divide_the_tile(size: int, edge: str) -> None:
    x = (photograph(size).transpose(2, 0, 1).astype(np.float32) / 255)[:, :, :]
    y = enlarged(x)
    y[:, -12:] *= 0 if edge == "bottom" else 1
    y[:, :, -12:] *= 0 if edge == "right" else 1
    assert fault(x, y, 2) is not None


def test_a_picture_on_its_side_is_judged_the_same() -> None:
    """Horizontal stripes have as much detail as vertical ones."""
    x = np.zeros((3, 64, 64), np.float32)
    x[:, ::2] = 1
    y = enlarged(x) + np.float32(0.05)
    assert fault(x, y, 2) is None
    assert fault(x.transpose(0, 2, 1), y.transpose(0, 2, 1), 2) is None


@pytest.mark.parametrize("kind", ["noise", "checkerboard", "black", "white", "dot", "stripes", "lines", "1x1", "2x2"])
def test_difficult_pictures_pass_with_the_shipped_model(kind: str) -> None:
    rng = np.random.default_rng(0)
    grid = np.indices((64, 64)).sum(axis=0) % 2 * 255
    dot = np.zeros((64, 64), int)
    dot[30, 31] = 255
    image = {
        "noise": rng.integers(0, 2, (64, 64, 3)) * 255,
        "checkerboard": grid[..., None].repeat(3, 2),
        "black": np.zeros((40, 50, 3), int),
        "white": np.full((40, 50, 3), 255),
        "dot": dot[..., None].repeat(3, 2),
        "stripes": (np.indices((64, 64))[1] % 2 * 255)[..., None].repeat(3, 2),
        "lines": (np.indices((64, 64))[0] % 2 * 255)[..., None].repeat(3, 2),
        "1x1": np.full((1, 1, 3), 200),
        "2x2": rng.integers(0, 2, (2, 2, 3)) * 255,
    }[kind].astype(np.uint8)
    with Upscaler() as upscaler:
        assert upscaler.upscale(image).shape == (2 * image.shape[0], 2 * image.shape[1], 3)


def test_a_bad_tile_is_done_again_in_float32(load) -> None:
    """A session that fails, as half precision does, is replaced for that tile; the result is the right one."""

    class Overflowing:
        name, workers = "overflowing", 1
        calls = 0

        def run(self, x: np.ndarray) -> np.ndarray:
            self.calls += 1
            return np.full((1, 3, 2 * x.shape[2], 2 * x.shape[3]), np.inf, np.float32)

    model = load(convolutional())
    with Upscaler(model=model, runtime="onnxruntime", tile=48) as right:
        expected = right.upscale(photograph())
    with Upscaler(model=model, runtime="onnxruntime", tile=48) as upscaler:
        session = Overflowing()
        give_session(upscaler, session)
        np.testing.assert_array_equal(upscaler.upscale(photograph()), expected)
    assert session.calls == 4
