"""degrade/: pure, and what they say."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve

from kakudai.degrade.blur import anisotropic_blur, gaussian_blur
from kakudai.degrade.noise import gaussian_noise, poisson_noise
from kakudai.degrade.shrink import DOWNSAMPLING, crop_to_multiple, shrink, shrink_bicubic
from kakudai.errors import RecipeError
from kakudai.image.resize import imresize_matlab, kernel_value


def soft_picture(height: int = 48, width: int = 60, seed: int = 0) -> np.ndarray:
    """Smooth colours between 64 and 192, so that nothing is clipped."""
    coarse = np.random.default_rng(seed).integers(64, 192, (height // 6, width // 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def test_blur_agrees_with_an_independent_gaussian() -> None:
    image = np.random.default_rng(0).random((30, 41, 3), np.float32)
    expected = gaussian_filter(image.astype(np.float64), (0.75, 0.75, 0), mode="reflect", radius=(3, 3, 0))
    np.testing.assert_allclose(gaussian_blur(image, 0.75), expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.0, 0.4, 2.5])
def test_blur_keeps_flat_colours_dtype_and_its_input(sigma: float) -> None:
    image = np.full((9, 7, 3), 77, np.uint8)
    before = image.copy()
    result = gaussian_blur(image, sigma)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, before)
    np.testing.assert_array_equal(image, before)


def test_equal_widths_blur_alike_in_all_directions() -> None:
    image = np.random.default_rng(1).random((20, 23, 3), np.float32)
    for angle in (0.0, 30.0):
        np.testing.assert_allclose(anisotropic_blur(image, (1.5, 1.5), angle), gaussian_blur(image, 1.5), atol=1e-5)


def test_anisotropic_blur_follows_its_angle() -> None:
    """A point becomes a streak along the angle, which turns from right to down; angle and moments agree."""
    point = np.zeros((61, 61, 1), np.float64)
    point[30, 30] = 1.0
    y, x = np.mgrid[-30:31, -30:31]
    for angle in (0.0, 30.0, 90.0, 135.0):
        streak = anisotropic_blur(point, (4.0, 1.5), angle)[..., 0]
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        assert streak.sum() == pytest.approx(1.0)
        assert (streak * (cosine * x + sine * y) ** 2).sum() == pytest.approx(16.0, rel=0.02)
        assert (streak * (cosine * y - sine * x) ** 2).sum() == pytest.approx(2.25, rel=0.02)
        assert (streak * x).sum() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 1, 1), (40, 3, 1)])
def test_anisotropic_blur_mirrors_the_border_of_any_size(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(2).random(shape)
    kernel = np.zeros((25, 25, 1))
    kernel[12, 12] = 1.0
    kernel = anisotropic_blur(np.pad(kernel, ((20, 20), (20, 20), (0, 0))), (3.0, 1.0), 20.0)[20:-20, 20:-20]
    padded = np.pad(image, ((12, 12), (12, 12), (0, 0)), mode="symmetric")
    np.testing.assert_allclose(
        anisotropic_blur(image, (3.0, 1.0), 20.0), convolve(padded, kernel, "valid", "direct"), atol=1e-9
    )
    flat = np.full(shape, 200, np.uint8)
    np.testing.assert_array_equal(anisotropic_blur(flat, (3.0, 1.0), 20.0), flat)


def test_shrinking_is_antialiased_and_sized() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (12, 6))[..., None]
    np.testing.assert_allclose(shrink_bicubic(stripes, 2)[:, 1:-1].astype(int), 128, atol=8)
    assert crop_to_multiple(stripes, 5).shape == (10, 10, 1)


@pytest.mark.parametrize("kernel", DOWNSAMPLING)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_filter_keeps_flat_colours_sizes_and_types(kernel, scale: int, dtype) -> None:
    value = 0.3 if dtype == np.float32 else np.iinfo(dtype).max // 3
    image = np.full((25, 19, 3), value, dtype)
    result = shrink(image, scale, kernel, blur=1.03)
    assert result.shape == (25 // scale, 19 // scale, 3)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, value, rtol=1e-6)


@pytest.mark.parametrize("kernel", DOWNSAMPLING)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_no_filter_moves_the_picture(kernel, scale: int) -> None:
    """A ramp stays the ramp x = scale (x' + 0.5) - 0.5; "nearest" takes the pixel there or half a pixel on."""
    ramp = np.arange(120, dtype=np.float64)[None, :, None].repeat(8, axis=0) / 120
    expected = scale * (np.arange(120 // scale) + 0.5) - 0.5
    shift = 0.5 if kernel == "nearest" and scale % 2 == 0 else 0.0
    for axis in (0, 1):
        found = shrink(np.swapaxes(ramp, 0, 1) if axis == 0 else ramp, scale, kernel)
        line = 120 * (found[:, 0, 0] if axis == 0 else found[0, :, 0])
        np.testing.assert_allclose(line[8:-8], (expected + shift)[8:-8], atol=2e-4 * scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    ("kernel", "theirs"),
    [
        ("lanczos", Image.Resampling.LANCZOS),
        ("catrom", Image.Resampling.BICUBIC),
        ("triangle", Image.Resampling.BILINEAR),
        ("box", Image.Resampling.BOX),
        ("nearest", Image.Resampling.NEAREST),
    ],
)
def test_filters_agree_with_pillows(kernel, theirs: Image.Resampling, scale: int) -> None:
    """Pillow rounds between its passes and ends the picture at the border, so compare the middle to one level."""
    image = soft_picture(96, 96)
    expected = np.asarray(Image.fromarray(image).resize((96 // scale, 96 // scale), theirs)).astype(int)
    found = shrink(image, scale, kernel).astype(int)
    assert np.abs(found - expected)[4:-4, 4:-4].max() <= (0 if kernel == "nearest" else 1)


def test_bicubic_is_matlabs_and_catrom_the_same_curve() -> None:
    image = soft_picture()
    np.testing.assert_array_equal(shrink(image, 2), imresize_matlab(image, 0.5))
    np.testing.assert_array_equal(shrink(image[:-1, :-1], 2), imresize_matlab(image[:-2, :-2], 0.5))
    difference = np.abs(shrink(image, 2, "catrom").astype(int) - shrink(image, 2).astype(int))
    assert 0 < difference.max() <= 1


def test_sinc_is_graphicsmagicks() -> None:
    """Four lobes under a Blackman window: the values of GraphicsMagick's formula at a few distances."""
    found = kernel_value("sinc4", np.array([0.0, -0.5, 1.0, 1.5, 3.5, 4.0, 4.5]))
    window = [0.42 + 0.5 * np.cos(np.pi * x / 4) + 0.08 * np.cos(np.pi * x / 2) for x in (0.5, 1.5, 3.5)]
    lobes = [2 / np.pi, -2 / (3 * np.pi), -2 / (7 * np.pi)]
    expected = [1.0, window[0] * lobes[0], 0.0, window[1] * lobes[1], window[2] * lobes[2], 0.0, 0.0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos", "sinc", "catrom", "triangle"])
def test_blur_above_one_softens_and_below_sharpens(kernel) -> None:
    image = np.random.default_rng(3).random((64, 64, 1))
    soft, normal, sharp = (float(shrink(image, 2, kernel, blur=blur).std()) for blur in (1.05, 1.0, 0.95))
    assert soft < normal < sharp


def test_unknown_filters_are_named() -> None:
    with pytest.raises(RecipeError, match=r"'mitchell'.*\n.*catrom"):
        shrink(soft_picture(), 2, "mitchell")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("grey", [False, True])
def test_gaussian_noise_is_as_strong_as_asked(dtype, grey: bool) -> None:
    white = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    image = np.full((200, 210, 3), white / 2, np.float64).astype(dtype)
    before = image.copy()
    noisy = gaussian_noise(image, 12.0, np.random.default_rng(4), grey=grey)
    np.testing.assert_array_equal(image, before)
    assert noisy.dtype == dtype
    noise = (noisy.astype(np.float64) - image) * (255.0 / white)
    assert abs(noise.mean()) < 0.2
    assert noise.std() == pytest.approx(12.0, rel=0.01)
    correlation = np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]
    assert correlation == pytest.approx(1.0 if grey else 0.0, abs=0.02)
    neighbours = np.corrcoef(noise[:, 1:, 0].ravel(), noise[:, :-1, 0].ravel())[0, 1]
    assert abs(neighbours) < 0.02


@pytest.mark.parametrize("value", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("grey", [False, True])
def test_shot_noise_has_the_variance_of_counting(value: float, grey: bool) -> None:
    image = np.full((220, 200, 3), value, np.float32)
    noisy = poisson_noise(image, 400.0, np.random.default_rng(5), grey=grey)
    assert noisy.dtype == np.float32
    assert noisy.mean() == pytest.approx(value, abs=1e-3)
    assert noisy.var() == pytest.approx(value / 400.0, rel=0.03)
    same = np.ptp(noisy - image, axis=2).max() < 1e-6
    assert same == grey
    if not grey:
        np.testing.assert_allclose(noisy * 400.0, np.round(noisy * 400.0), atol=1e-2)


def test_grey_shot_noise_counts_luma() -> None:
    """Pure blue is dark: 0.114 of white's variance, in all three channels."""
    blue = np.zeros((200, 200, 3), np.float32)
    blue[..., 2] = 1.0
    noise = poisson_noise(blue, 100.0, np.random.default_rng(6), grey=True) - blue
    np.testing.assert_allclose(noise.var(axis=(0, 1)), 0.114 / 100.0, rtol=0.03)


def test_shot_noise_in_eight_bits() -> None:
    image = np.full((150, 150, 1), 128, np.uint8)
    noisy = poisson_noise(image, 1000.0, np.random.default_rng(7))
    assert noisy.dtype == np.uint8
    expected = 128 / 255 / 1000 * 255**2 + 1 / 12  # counting, and rounding to whole levels
    assert noisy.astype(float).var() == pytest.approx(expected, rel=0.03)
    black = np.zeros((9, 9, 3), np.uint8)
    np.testing.assert_array_equal(poisson_noise(black, 50.0, np.random.default_rng(8)), black)


@pytest.mark.parametrize("noise", [gaussian_noise, poisson_noise])
@pytest.mark.parametrize("grey", [False, True])
def test_the_generator_decides_the_noise(noise, grey: bool) -> None:
    image = soft_picture()
    first, again, other = (noise(image, 20.0, np.random.default_rng(seed), grey=grey) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_no_noise_is_no_noise() -> None:
    image = soft_picture()
    np.testing.assert_array_equal(gaussian_noise(image, 0.0, np.random.default_rng(0)), image)
