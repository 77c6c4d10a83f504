"""engine/pooled.py: networks that average over the whole picture give the same in tiles as on the whole."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pooled_models import valley
from tests.upscalers import give_session, session_of

from kakudai.engine.loading import load_model
from kakudai.engine.runtimes import open_session
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import WrongResult
from kakudai.image.picture import Picture
from kakudai.models import Model
from kakudai.models.catalogue import model_from_bytes

SIZES = [(64, 96), (61, 75), (33, 130), (1, 1), (5, 90)]


@pytest.fixture(scope="module", params=["edge", "mirror", "padded", "one way, edge", "one way, mirror"])
def network(request: pytest.FixtureRequest) -> Model:
    border = "edge" if request.param.endswith("edge") else "mirror"
    one_way = request.param.startswith("one way")
    return model_from_bytes(valley(border=border, padded=request.param == "padded", one_way=one_way), request.param)


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


@pytest.mark.parametrize("one_way", [False, True])
def test_the_whole_picture_is_what_the_file_alone_gives(one_way: bool) -> None:
    """A file that continues the picture itself: any program that runs x to y gets what kakudai writes."""
    model = model_from_bytes(valley(one_way=one_way), "test")
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


def test_tiles_are_not_continued_again_by_the_network() -> None:
    """They bring real pixels, and every layer would compute as many more on all sides, to be thrown away."""
    model = model_from_bytes(valley(one_way=True), "test")
    assert model.pools.added == 14
    with Upscaler(model=model, tile=32) as upscaler:
        recorded = Recorded(session_of(upscaler))
        give_session(upscaler, recorded)
        upscaler.upscale(picture(64, 64))
    # Each tile of 32 pixels, with its halo of 16 on all sides, loses 14 of them; the result is twice as large.
    assert {x for x, y, last in recorded.sides} == {64}
    assert {y for x, y, last in recorded.sides if last} == {2 * (64 - 28)}


class Recorded:
    """A session that remembers the sides of what it was given and gave, and whether that was a picture."""

    name, workers = "recorded", 1

    def __init__(self, session) -> None:
        self.session, self.sides = session, []

    def run(self, x):
        return self.run_stage(x, {}, ())[0]

    def run_stage(self, x, given, names):
        outputs = self.session.run_stage(x, given, names)
        self.sides.append((x.shape[3], outputs[0].shape[3], not names))
        return outputs


class Spoiled(Recorded):
    """A session whose pictures, or whose averages, are all one value."""

    def __init__(self, session, value: float, *, averages: bool) -> None:
        super().__init__(session)
        self.value, self.averages = np.float32(value), averages

    def run_stage(self, x, given, names):
        outputs = super().run_stage(x, given, names)
        return [np.full_like(y, self.value) for y in outputs] if bool(names) == self.averages else outputs


def test_tiles_in_stages_are_checked_and_done_again_with_care(network: Model) -> None:
    image = picture(64, 80)
    expected = enlarged(network, image, 32)
    with Upscaler(model=network, tile=32) as upscaler:
        give_session(upscaler, Spoiled(session_of(upscaler), 0.0, averages=False))
        np.testing.assert_allclose(upscaler.upscale(image), expected, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_average_that_is_no_number_is_an_error(network: Model, value: float) -> None:
    """No number stands for "use your own": tiles would differ, and nobody would know."""
    with Upscaler(model=network, tile=32) as upscaler:
        give_session(upscaler, Spoiled(session_of(upscaler), value, averages=True))
        with pytest.raises(WrongResult, match="average"):
            upscaler.upscale(picture(64, 80))


def test_several_threads_may_use_one_upscaler(network: Model) -> None:
    images = [picture(50 + 7 * k, 60, seed=k) for k in range(4)]
    with Upscaler(model=network, tile=32) as upscaler:
        expected = [upscaler.upscale(image) for image in images]
        with ThreadPoolExecutor(4) as pool:
            for result, wanted in zip(pool.map(upscaler.upscale, images), expected, strict=True):
                np.testing.assert_array_equal(result, wanted)


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
    padded = np.ascontiguousarray(padded)  # ncnn takes its address and does not hold it
    extractor = net.create_extractor()
    extractor.input(net.input_names()[0], ncnn.Mat(padded))
    _, y = extractor.extract(net.output_names()[0])
    expected = np.array(y).transpose(1, 2, 0).clip(0, 1)
    np.testing.assert_allclose(enlarged(cunet, image, 0), expected, atol=1e-3)
    np.testing.assert_allclose(enlarged(cunet, image, 32), expected, atol=1e-3)
