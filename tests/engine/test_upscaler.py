"""engine/upscaler.py: the contracts of DESIGN, on random and on shipped networks."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.small_models import convolutional, nearest
from tests.upscalers import give_session, session_of

from kakudai.engine import memory
from kakudai.engine.memory import largest_tile
from kakudai.engine.runtimes import available, open_session, usable_processors
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import OutOfMemory, PictureNotFound, RuntimeUnavailable, UsageError
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import resize
from kakudai.models import Model, find_model
from kakudai.networks.ecbsr import ECBSR

RUNTIMES = ["onnxruntime", "openvino"]
SIZES = [(1, 1), (1, 150), (7, 9), (31, 32), (33, 47), (64, 65), (101, 67)]


def model_from(data: bytes, folder: Path) -> Model:
    path = folder / "test.onnx"
    path.write_bytes(data)
    return find_model(path)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Model:
    return model_from(convolutional(), tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def doubler(tmp_path_factory) -> Model:
    return model_from(nearest(), tmp_path_factory.mktemp("model"))


def noise(*shape: int, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == np.float32:
        return rng.random(shape, np.float32)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_tile_size_changes_nothing(network: Model, runtime, size: tuple[int, int]) -> None:
    for dtype in (np.float32, np.uint8):
        image = noise(*size, 3, dtype=dtype)
        with Upscaler(model=network, runtime=runtime, tile=0) as whole:
            expected = whole.upscale(image)
        for tile in (32, 33, 57):
            with Upscaler(model=network, runtime=runtime, tile=tile) as tiled:
                result = tiled.upscale(image)
            if dtype == np.float32:
                np.testing.assert_allclose(result, expected, atol=1e-5)
            else:
                np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_thread_count_changes_nothing(network: Model, runtime) -> None:
    image = noise(130, 90, 3)
    results = []
    for threads in (1, 2, 3):
        with Upscaler(model=network, runtime=runtime, threads=threads, tile=40) as upscaler:
            results.append(upscaler.upscale(image))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_halo_that_is_too_small_would_be_seen(tmp_path: Path) -> None:
    """The test above can fail: a network that reaches further than it says shows its tiles."""
    liar = model_from(convolutional(halo="1"), tmp_path)
    image = noise(101, 67, 3)
    with Upscaler(model=liar, tile=0) as whole, Upscaler(model=liar, tile=32) as tiled:
        assert (whole.upscale(image) != tiled.upscale(image)).any()


def test_runtimes_agree(network: Model) -> None:
    image = noise(60, 70, 3, dtype=np.float32)
    with (
        Upscaler(model=network, runtime="onnxruntime") as a,
        Upscaler(model=network, runtime="openvino") as b,
    ):
        np.testing.assert_allclose(a.upscale(image), b.upscale(image), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_layout_and_dtype_come_back(doubler: Model, dtype, channels: int) -> None:
    image = noise(40, 35, *([channels] if channels else []), dtype=dtype)
    with Upscaler(model=doubler) as upscaler:
        result = upscaler.upscale(image)
    assert result.dtype == dtype
    assert result.shape == (80, 70, *image.shape[2:])
    if channels in (0, 1, 3):
        np.testing.assert_allclose(result, image.repeat(2, 0).repeat(2, 1), rtol=1e-6)


@pytest.mark.parametrize("value", [0, 1, 54, 128, 254, 255])
def test_flat_colours_come_back(value: int) -> None:
    with Upscaler() as upscaler:
        for color in ((value, value, value), (value, 255 - value, 77)):
            result = upscaler.upscale(np.full((20, 30, 3), color, np.uint8))
            assert np.abs(result.astype(int) - color).max() <= 1


@pytest.mark.parametrize(("model", "denoise"), [("photo-x2", 0), ("photo-restore-x2", 50)])
@pytest.mark.parametrize("scale", [1, 2])
def test_grey_stays_grey(model: str, denoise: int, scale: int) -> None:
    """Whether its file has one channel or three that are alike, and whether the network sees colours or not."""
    grey = noise(50, 60, 1)
    with Upscaler(scale, model=model, denoise=denoise) as upscaler:
        one, three = upscaler.upscale(grey), upscaler.upscale(grey.repeat(3, axis=2))
        four = upscaler.upscale(np.concatenate([grey.repeat(3, axis=2), noise(50, 60, 1)], axis=2))
    assert one.shape == (50 * scale, 60 * scale, 1)
    np.testing.assert_array_equal(three, one.repeat(3, axis=2))
    np.testing.assert_array_equal(four[..., 1:3], four[..., :1].repeat(2, axis=2))


@pytest.mark.parametrize("scale", [2, 3, 4, 1.5, 0.5])
def test_nothing_shifts(scale: float) -> None:
    """The centre of mass of a soft dot obeys x' = s (x + 0.5) - 0.5."""
    y, x = np.mgrid[:48, :64]
    dot = np.exp(-((y - 17.3) ** 2 + (x - 40.6) ** 2) / 12)
    with Upscaler(scale) as upscaler:
        result = upscaler.upscale(dot.astype(np.float32)[..., None].repeat(3, 2))[..., 1]
    weight = result.clip(0.02) - 0.02
    rows, columns = np.mgrid[: result.shape[0], : result.shape[1]]
    center = (rows * weight).sum() / weight.sum(), (columns * weight).sum() / weight.sum()
    np.testing.assert_allclose(center, [scale * 17.8 - 0.5, scale * 41.1 - 0.5], atol=0.03 * max(scale, 1))


def test_sixteen_bits_are_not_eight(network: Model) -> None:
    ramp = np.linspace(20_000, 24_000, 64 * 64).astype(np.uint16).reshape(64, 64, 1)
    with Upscaler(model=network) as upscaler:
        assert len(np.unique(upscaler.upscale(ramp))) > 1000


@pytest.mark.parametrize("color", [0, 255])
def test_no_fringe_around_what_is_visible(color: int) -> None:
    """An orange square on hidden black or white: every pixel that is visible afterwards is orange."""
    image = np.zeros((40, 40, 4), np.uint8)
    image[..., :3] = color
    image[12:28, 12:28] = (255, 128, 0, 255)
    with Upscaler() as upscaler:
        result = upscaler.upscale(image)
    visible = result[result[..., 3] > 0][:, :3].astype(int)
    assert len(visible) > 900
    assert np.abs(visible - (255, 128, 0)).max() <= 6


def test_flat_alpha_stays_flat_and_opaque_is_as_without(network: Model) -> None:
    image = noise(40, 40, 3)
    with Upscaler(model=network) as upscaler:
        plain = upscaler.upscale(image)
        opaque = upscaler.upscale(np.dstack([image, np.full((40, 40), 255, np.uint8)]))
        half = upscaler.upscale(np.dstack([image, np.full((40, 40), 99, np.uint8)]))
    np.testing.assert_array_equal(opaque[..., :3], plain)
    assert (opaque[..., 3] == 255).all()
    assert (half[..., 3] == 99).all()


def test_shrinking_is_in_linear_light() -> None:
    """Black and white stripes average to the grey of half the light, 188, not to 128."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))[..., None].repeat(3, 2)
    with Upscaler(0.25) as upscaler:
        assert np.abs(upscaler.upscale(stripes)[4:-4, 4:-4].astype(int) - 188).max() <= 2


def test_what_was_enlarged_too_far_comes_back_without_dark_rims(doubler: Model) -> None:
    """Convention: only results smaller than the picture are means of light. A dark stripe is not darker than it was."""
    stripe = np.full((24, 24, 3), 220, np.uint8)
    stripe[:, 10:14] = 40
    with Upscaler(1.5, model=doubler) as upscaler:
        result = upscaler.upscale(stripe)
    large = (stripe.astype(np.uint16) * 257).repeat(2, 0).repeat(2, 1)
    expected = resize(large, (36, 36), kernel="lanczos3", dtype=np.dtype(np.uint8))
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert result.min() >= 20


@pytest.mark.parametrize("scale", [0.25, 1.5])
def test_alpha_is_no_light(doubler: Model, scale: float) -> None:
    """Stripes of alpha average to one half, 128, and not to 188."""
    stripes = np.full((64, 64, 4), 255, np.uint8)
    stripes[..., 3] = np.tile(np.array([0, 255], np.uint8), 32)
    with Upscaler(scale, model=doubler) as upscaler:
        alpha = upscaler.upscale(stripes)[..., 3].astype(float)
    assert abs(alpha[4:-4, 4:-4].mean() - 127.5) <= 2


def test_passes_are_not_rounded_to_eight_bits_between(doubler: Model) -> None:
    image = noise(20, 20, 3)
    with Upscaler(3, model=doubler) as upscaler:
        result = upscaler.upscale(image)
    expected = resize(image.repeat(4, 0).repeat(4, 1), (60, 60), kernel="lanczos3")
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_several_threads_may_use_one_upscaler(network: Model) -> None:
    images = [noise(50 + 7 * k, 60, 3, seed=k) for k in range(6)]
    with Upscaler(model=network, tile=32) as upscaler:
        expected = [upscaler.upscale(image) for image in images]
        with ThreadPoolExecutor(6) as pool:
            for result, wanted in zip(pool.map(upscaler.upscale, images), expected, strict=True):
                np.testing.assert_array_equal(result, wanted)


def test_files_are_mapped_in_order_and_a_bad_one_is_an_error(network: Model, tmp_path: Path) -> None:
    images = [noise(20 + k, 30, 3, seed=k) for k in range(3)]
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, image in zip(paths, images, strict=True):
        write_image(Picture(image), path)
    paths.insert(1, tmp_path / "missing.png")
    with Upscaler(model=network) as upscaler:
        expected = [upscaler.upscale(image) for image in images]
        results = list(upscaler.map(paths))
    assert [result.source for result in results] == paths
    assert isinstance(results.pop(1).error, PictureNotFound)
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.picture.color, wanted)


class Hungry:
    """A session that cannot allocate tiles above a size."""

    name, workers = "hungry", 1

    def __init__(self, session, largest: int) -> None:
        self.session, self.largest, self.seen = session, largest, []

    def run(self, x: np.ndarray) -> np.ndarray:
        self.seen.append(x.shape[3])
        if max(x.shape[2:]) > self.largest:
            raise MemoryError("std::bad_alloc")
        return self.session.run(x)


def make_hungry(upscaler: Upscaler, largest: int) -> Hungry:
    """Let the network of an upscaler fail for tiles above a size."""
    hungry = Hungry(session_of(upscaler), largest)
    give_session(upscaler, hungry)
    return hungry


def test_tiles_are_halved_until_they_fit(network: Model) -> None:
    image = noise(200, 180, 3)
    seen = []
    with Upscaler(model=network, tile=0) as upscaler:
        expected = upscaler.upscale(image)
        hungry = make_hungry(upscaler, 80)
        result, report = upscaler.upscale_picture(
            Picture(image), progress=lambda done, total: seen.append((done, total))
        )
        np.testing.assert_array_equal(result.color, expected)
        assert report.tile == 50
        assert max(hungry.seen) == 186
        assert seen[-1][0] <= seen[-1][1] == 200 * 180
        hungry.largest = 10
        with pytest.raises(OutOfMemory):
            upscaler.upscale(image)


def test_tiles_shrink_with_the_memory_that_is_free(monkeypatch) -> None:
    monkeypatch.setattr("kakudai.engine.memory.available_bytes", lambda: 64 << 20)
    assert largest_tile(workers=1) == 64
    monkeypatch.setattr("kakudai.engine.memory.available_bytes", lambda: 1 << 20)
    assert largest_tile(workers=4) == 32
    monkeypatch.setattr("kakudai.engine.memory.available_bytes", lambda: None)
    assert largest_tile(workers=1) == 256


def test_a_network_with_large_layers_has_smaller_tiles() -> None:
    assert largest_tile(workers=1, features=400) == 256
    assert largest_tile(workers=1, features=1024, halo=4) == 181 - 8
    assert largest_tile(workers=1, features=10**6, halo=4) == 32


def test_a_network_in_memory_runs_and_equals_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ECBSR(in_channels=3, blocks=1, branches=False)
    with Upscaler(model=network, tile=32) as tiled, Upscaler(model=network, tile=0) as whole:
        assert tiled.runtime == "torch"
        image = noise(50, 40, 3, dtype=np.float32)
        np.testing.assert_allclose(tiled.upscale(image), whole.upscale(image), atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 5))
def test_every_size_and_scale_comes_out_as_planned(doubler: Model, height: int, width: int, scale: float) -> None:
    with Upscaler(scale, model=doubler, runtime="onnxruntime") as upscaler:
        size = upscaler.plan(height, width).size
        assert upscaler.upscale(noise(height, width, 3)).shape == (*size, 3)


@pytest.mark.parametrize(
    "image",
    [
        "text",
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(doubler: Model, image) -> None:
    with Upscaler(model=doubler) as upscaler, pytest.raises(UsageError, match="is not a picture"):
        upscaler.upscale(image)


@pytest.mark.parametrize("scale", [0.5, 1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_the_caller_s_fault(doubler: Model, scale: float, value: float) -> None:
    image = noise(20, 20, 3, dtype=np.float32)
    image[3, 4, 1] = value
    with Upscaler(scale, model=doubler) as upscaler, pytest.raises(UsageError, match="no numbers"):
        upscaler.upscale(image)


def test_the_same_size_gives_the_same_pixels_in_other_memory(network: Model) -> None:
    """Also the colours that nobody sees: no network has looked at them."""
    image = noise(20, 30, 4)
    image[:10, :, 3] = 0
    with Upscaler(1, model=network) as upscaler:
        result = upscaler.upscale(image)
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


def test_progress_counts_every_pixel_once_also_after_tiles_were_halved(network: Model) -> None:
    seen: list[tuple[int, int]] = []
    with Upscaler(model=network, runtime="onnxruntime", threads=4, tile=100) as upscaler:
        make_hungry(upscaler, 80)
        picture = Picture(noise(200, 180, 3))
        upscaler.upscale_picture(picture, progress=lambda *at: seen.append(at))
    done = [at[0] for at in seen]
    assert done == sorted(done)
    assert seen[-1] == (200 * 180, 200 * 180)


def test_a_tile_larger_than_the_picture_is_the_picture(network: Model) -> None:
    with Upscaler(model=network, tile=100_000) as upscaler:
        hungry = make_hungry(upscaler, 80)
        _, report = upscaler.upscale_picture(Picture(noise(90, 70, 3)))
    assert report.tile == 45
    assert max(hungry.seen) < 100


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", 5 << 20), (str(3 << 20), 2 << 20), (str(1 << 20), 0), (str(50 << 20), 5 << 20)]
)
def test_a_container_s_limit_counts_and_its_cached_files_do_not(
    limit: str, expected: int, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_free_in_machine", lambda: 5 << 20)
    assert memory.available_bytes() == 5 << 20
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(f"{(2 << 20)}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {1 << 20}\n")
    assert memory.available_bytes() == expected


def test_wrong_arguments_are_refused(doubler: Model) -> None:
    with pytest.raises(UsageError, match="tile"):
        Upscaler(model=doubler, tile=3)
    with pytest.raises(UsageError, match="threads"):
        Upscaler(model=doubler, threads=0)
    with pytest.raises(UsageError, match="no runtime"):
        Upscaler(model=doubler, runtime="caffe")
    with pytest.raises(RuntimeUnavailable, match="there is no GPU"):
        Upscaler(model=doubler, device="cuda")


def test_a_runtime_that_is_not_installed_is_named(doubler: Model, monkeypatch) -> None:
    monkeypatch.setattr("kakudai.engine.runtimes.find_spec", lambda name: None if name == "openvino" else True)
    assert available()[0].name == "onnxruntime"
    assert open_session(doubler).name == "onnxruntime"
    with pytest.raises(RuntimeUnavailable) as caught:
        open_session(doubler, runtime="openvino")
    assert "kakudai[openvino]" in caught.value.hint


def test_openvino_is_taken_on_x86_only(monkeypatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert available()[0].name == "onnxruntime"
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert available()[0].name == "openvino"
    assert usable_processors() >= 1
