"""engine/pooled.py: networks that average over the whole picture give the same in tiles as on the whole."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pooled_models import valley
from tests.upscalers import give_session, session_of

from kakudai.engine.loading import load_model
from kakudai.engine.runtimes import open_session
from kakudai.engine.upscaler import Upscaler
from kakudai.image.picture import Picture
from kakudai.models import Model
from kakudai.models.catalogue import model_from_bytes

SIZES = [(64, 96), (61, 75), (33, 130), (1, 1), (5, 90)]


@pytest.fixture(scope="module", params=["edge", "mirror", "padded"])
def network(request: pytest.FixtureRequest) -> Model:
    border = "edge" if request.param == "edge" else "mirror"
    return model_from_bytes(valley(border=border, padded=request.param == "padded"), request.param)


def picture(*size: int, seed: int = 0) -> np.ndarray:
    """Noise on a slope of brightness, so that the mean of a tile is not that of the picture."""
    noise = np.random.default_rng(seed).random((*size, 3), np.float32)
    return 0.5 * noise + 0.5 * np.linspace(0, 1, size[1], dtype=np.float32)[None, :, None]


def enlarged(model: Model, image: np.ndarray, tile: int, **options) -> np.ndarray:
    with Upscaler(model=model, tile=tile, **options) as upscaler:
        return upscaler.upscale(image)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tta", [1, 8])
def test_the_tile_size_changes_nothing(network: Model, size: tuple[int, int], tta: int) -> None:
    image = picture(*size)
    whole = enlarged(network, image, 0, tta=tta)
    for tile in (32, 40):
        np.testing.assert_allclose(enlarged(network, image, tile, tta=tta), whole, atol=1e-5)


def test_tiles_alone_would_differ(network: Model) -> None:
    """The test above can fail: without the averages of the whole picture the tiles are others."""
    image = picture(64, 96)
    alone = replace(network, card={**network.card, "pools": ""})
    assert alone.pools is None
    left = enlarged(alone, image[:, :48], 0)
    assert np.abs(left[:, :64] - enlarged(network, image, 0)[:, :64]).max() > 1e-3


def test_the_whole_picture_is_what_the_file_alone_gives() -> None:
    """A file that continues the picture itself: any program that runs x to y gets what kakudai writes."""
    model = model_from_bytes(valley(), "test")
    image = picture(64, 96)
    y = open_session(model, runtime="openvino").run(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
    for tile in (0, 32):
        np.testing.assert_allclose(enlarged(model, image, tile), y[0].transpose(1, 2, 0).clip(0, 1), atol=1e-5)


def test_the_thread_count_changes_nothing(network: Model) -> None:
    image = picture(70, 90)
    for tile in (0, 32):
        results = [enlarged(network, image, tile, threads=threads) for threads in (1, 2, 3)]
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


def test_the_right_runtime_is_chosen(network: Model) -> None:
    assert open_session(network).name == "onnxruntime"
    assert open_session(network, runtime="openvino").name == "openvino"


def test_progress_counts_every_pixel_once_over_all_stages(network: Model) -> None:
    for tile in (0, 32):
        seen: list[tuple[int, int]] = []
        with Upscaler(4, model=network, tile=tile) as upscaler:
            upscaler.upscale_picture(Picture(picture(50, 70)), progress=lambda *at, seen=seen: seen.append(at))
        assert [at[0] for at in seen] == sorted(at[0] for at in seen)
        assert seen[-1] == (5 * 50 * 70, 5 * 50 * 70)


class Small:
    """A session without the memory for more than some pixels."""

    name, workers = "small", 1

    def __init__(self, session, most: int) -> None:
        self.session, self.most, self.seen = session, most, []

    def run(self, x):
        return self.run_stage(x, {}, ())[0]

    def run_stage(self, x, given, names):
        self.seen.append(x.shape[2] * x.shape[3])
        if self.seen[-1] > self.most:
            raise MemoryError("std::bad_alloc")
        return self.session.run_stage(x, given, names)


def test_what_does_not_fit_at_once_is_done_in_stages(network: Model) -> None:
    image = picture(120, 140)
    expected = enlarged(network, image, 0)
    with Upscaler(model=network, tile=0) as upscaler:
        small = Small(session_of(upscaler), 100**2)
        give_session(upscaler, small)
        result, report = upscaler.upscale_picture(Picture(image))
    np.testing.assert_allclose(result.color, expected, atol=1e-5)
    assert report.tile < 120
    assert max(small.seen) > 100**2


def test_memory_decides_between_whole_and_stages(network: Model, monkeypatch) -> None:
    image = picture(100, 110)
    tiles = {}
    for free in (1 << 30, 1 << 24):
        monkeypatch.setattr("kakudai.engine.memory.available_bytes", lambda free=free: free)
        with Upscaler(model=network) as upscaler:
            tiles[free] = upscaler.upscale_picture(Picture(image))[1].tile
    assert tiles == {1 << 30: 110, 1 << 24: 32}


@pytest.fixture(scope="module")
def cunet(shared: Path) -> Model:
    return load_model(shared / "models/waifu2x-ncnn/models-cunet-scale2.0x_model.param")


@pytest.mark.slow
def test_the_real_cunet_is_the_same_in_tiles_and_whole(cunet: Model) -> None:
    image = picture(160, 132)
    whole = enlarged(cunet, image, 0)
    np.testing.assert_allclose(enlarged(cunet, image, 128), whole, atol=1e-4)
    np.testing.assert_allclose(enlarged(cunet, image, 320), whole, atol=1e-4)


def test_the_real_cunet_is_what_ncnn_computes(cunet: Model, shared: Path) -> None:
    """On a whole picture whose sides divide by 4, continued by its edge pixels as waifu2x does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ncnn = pytest.importorskip("ncnn")
    stem = shared / "models/waifu2x-ncnn/models-cunet-scale2.0x_model"
    net = ncnn.Net()
    net.opt.num_threads = 1
    assert net.load_param(f"{stem}.param") == 0
    assert net.load_model(f"{stem}.bin") == 0
    image = picture(48, 64)
    padded = np.pad(image, ((18, 18), (18, 18), (0, 0)), mode="edge").transpose(2, 0, 1)
    extractor = net.create_extractor()
    extractor.input(net.input_names()[0], ncnn.Mat(np.ascontiguousarray(padded)))
    _, y = extractor.extract(net.output_names()[0])
    expected = np.array(y).transpose(1, 2, 0).clip(0, 1)
    np.testing.assert_allclose(enlarged(cunet, image, 0), expected, atol=1e-3)
    np.testing.assert_allclose(enlarged(cunet, image, 32), expected, atol=1e-3)
