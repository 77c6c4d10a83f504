"""metrics/: formulas against hand-made values and an independent implementation, protocol against its words."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.image.files import read_image
from kakudai.image.resize import imresize_matlab
from kakudai.metrics import Protocol, psnr, ssim

RGB = Protocol("rgb")

BICUBIC = {
    ("Set5", 2): (33.66, 0.9299), ("Set5", 3): (30.39, 0.8682), ("Set5", 4): (28.42, 0.8104),
    ("Set14", 2): (30.24, 0.8688), ("Set14", 3): (27.55, 0.7742), ("Set14", 4): (26.00, 0.7027),
    ("BSD100", 2): (29.56, 0.8431), ("BSD100", 3): (27.21, 0.7385), ("BSD100", 4): (25.96, 0.6675),
}  # fmt: skip
"""Published PSNR and SSIM of bicubic enlargement, as printed in the tables of IMDN, RCAN and SAFMN."""


def pictures(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (40, 50, 3), np.uint8)
    return a, np.clip(a + rng.normal(0, 10, a.shape), 0, 255).astype(np.uint8)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((16, 16, 3), np.uint8)
    assert psnr(a, a + 1, RGB) == pytest.approx(20 * math.log10(255))
    assert psnr(a, a, RGB) == math.inf


def test_luma_is_studio_range_and_not_rounded() -> None:
    a = np.zeros((16, 16, 3), np.uint8)
    b = a.copy()
    b[..., 1] = 1
    assert psnr(a, b, Protocol()) == pytest.approx(20 * math.log10(255 / (128.553 / 255)))


def test_grey_is_compared_as_it_is() -> None:
    a = np.zeros((16, 16, 1), np.uint8)
    assert psnr(a, a + 2, Protocol()) == pytest.approx(20 * math.log10(255 / 2))


def test_the_border_is_shaved_and_floats_are_rounded() -> None:
    a = np.zeros((16, 16, 3), np.uint8)
    b = a.copy()
    b[:2] = 255
    assert psnr(a, b, Protocol(shave=2)) == math.inf
    assert psnr(np.full((16, 16, 3), 0.4 / 255, np.float32), a.astype(np.float32), RGB) == math.inf


def test_ssim_against_an_independent_implementation() -> None:
    a, b = pictures()
    x, y = (RGB.prepare(image)[..., 0] for image in (a, b))
    window = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window /= window.sum()

    def mean(plane: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(plane, window, axis=0), window, axis=1)[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    expected = ((2 * mx * my + 6.5025) * (2 * cov + 58.5225)) / ((mx**2 + my**2 + 6.5025) * (vx + vy + 58.5225))
    assert ssim(a[..., :1], b[..., :1], RGB) == pytest.approx(expected.mean(), abs=1e-12)
    assert ssim(a, a, RGB) == pytest.approx(1.0)


def test_pictures_that_cannot_be_compared() -> None:
    a, b = pictures()
    with pytest.raises(ValueError, match="same"):
        psnr(a, b[1:], RGB)
    with pytest.raises(ValueError, match="nothing left"):
        psnr(a[:4], b[:4], Protocol(shave=2))
    with pytest.raises(ValueError, match="at least 11"):
        ssim(a[:10], b[:10], RGB)


@pytest.mark.real
@pytest.mark.parametrize(("name", "scale"), BICUBIC)
def test_the_published_bicubic_rows_come_out(shared: Path, name: str, scale: int) -> None:
    protocol = Protocol.published(scale)
    figures = []
    folder = shared / "data/test" / name
    for file in sorted([*folder.glob("*.png"), *folder.glob("*.webp")]):
        high = crop_to_multiple(read_image(file).color, scale)
        output = imresize_matlab(shrink_bicubic(high, scale), scale)
        figures.append((psnr(output, high, protocol), ssim(output, high, protocol)))
    expected = BICUBIC[name, scale]
    assert np.mean([f[0] for f in figures]) == pytest.approx(expected[0], abs=0.02)
    assert np.mean([f[1] for f in figures]) == pytest.approx(expected[1], abs=0.001)
