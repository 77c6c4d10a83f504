"""Sets, methods, protocols: what is measured, in which order, and when it is refused."""

from pathlib import Path

import numpy as np
import pytest

from kakudai.degrade.jpeg import jpeg
from kakudai.errors import PictureError, PictureNotFound
from kakudai.evaluate.measure import BICUBIC, measure_set, set_name, told_strength
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import imresize_matlab, resize
from kakudai.metrics import Protocol, psnr


def smooth(path: Path, seed: int, height: int = 48, width: int = 64, channels: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, channels)).astype(np.uint8)
    write_image(Picture(resize(coarse, (height, width))), path)


def bicubic(scale: int):
    return lambda low: imresize_matlab(low, scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_comes_first_and_equals_the_same_method_under_another_name(tmp_path: Path, scale: int) -> None:
    smooth(tmp_path / "a.png", 0, 50, 67)
    smooth(tmp_path / "b.webp", 1)
    scores = measure_set(tmp_path, scale, {"again": bicubic(scale)})
    assert list(scores.pictures) == [BICUBIC, "again"]
    assert list(scores.pictures[BICUBIC]) == ["a.png", "b.webp"]
    assert scores.pictures[BICUBIC] == scores.pictures["again"]
    assert scores.protocol.shave == scale
    assert str(scores.protocol) == f"luma_bt601_studio, shave {scale}, 8-bit"


def test_the_mean_is_that_of_the_decibels(tmp_path: Path) -> None:
    for seed in range(3):
        smooth(tmp_path / f"{seed}.png", seed)
    scores = measure_set(tmp_path, 2, {})
    single = [score.psnr for score in scores.pictures[BICUBIC].values()]
    assert scores.mean(BICUBIC).psnr == pytest.approx(sum(single) / 3)
    assert scores.as_json()["methods"][BICUBIC]["mean"]["psnr"] == scores.mean(BICUBIC).psnr


def test_methods_get_8_bits_cut_to_a_multiple_whatever_the_file_has(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_image(Picture(rng.integers(0, 65536, (51, 49, 3)).astype(np.uint16)), tmp_path / "a.png")
    write_image(Picture(rng.integers(0, 256, (51, 49, 1), np.uint8)), tmp_path / "b.png")
    seen = []

    def method(low):
        seen.append((low.shape, low.dtype))
        return imresize_matlab(low, 3)

    measure_set(tmp_path, 3, {"method": method})
    assert seen == [((17, 16, 3), np.uint8), ((17, 16, 1), np.uint8)]


def test_other_files_and_folders_are_no_part_of_a_set(tmp_path: Path) -> None:
    smooth(tmp_path / "a.png", 0)
    smooth(tmp_path / "below/b.png", 0)
    (tmp_path / "SOURCES.tsv").write_text("a list")
    assert list(measure_set(tmp_path, 2, {}).pictures[BICUBIC]) == ["a.png"]


def test_progress_counts_every_picture_once_per_method(tmp_path: Path) -> None:
    for seed in range(2):
        smooth(tmp_path / f"{seed}.png", seed)
    said: list[tuple[int, int]] = []
    measure_set(tmp_path, 2, {"again": bicubic(2)}, progress=lambda done, total: said.append((done, total)))
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureNotFound, match="no pictures"):
        measure_set(tmp_path, 2, {})
    smooth(tmp_path / "small.png", 0, 8, 8)
    with pytest.raises(PictureError, match=r"small\.png cannot be measured"):
        measure_set(tmp_path, 2, {})


def test_a_set_of_the_literature_must_have_its_figure(tmp_path: Path) -> None:
    smooth(tmp_path / "Set5/a.png", 0)

    def never(low):
        pytest.fail("the set was refused, and measured all the same")

    with pytest.raises(PictureError, match=r"published 33\.66"):
        measure_set(tmp_path / "Set5", 2, {"network": never}, published=True)
    assert measure_set(tmp_path / "Set5", 2, {}).name == "Set5"


def test_what_does_not_enlarge_is_shown_jpeg_pictures_and_told_so(tmp_path: Path) -> None:
    smooth(tmp_path / "Set5/a.png", 0)
    original = read_image(tmp_path / "Set5/a.png").color
    shown = []

    def keep(low):
        shown.append(low)
        return original

    scores = measure_set(tmp_path / "Set5", 1, {"perfect": keep}, published=True)
    np.testing.assert_array_equal(shown[0], jpeg(original, 40, chroma="4:2:0"))
    assert scores.mean(BICUBIC).psnr == psnr(shown[0], original, Protocol.published(1)) < 60
    assert scores.mean("perfect").psnr == np.inf
    assert scores.conditions == "luma_bt601_studio, shave 1, 8-bit, JPEG quality 40, 4:2:0"
    assert told_strength(1) == 50
    assert told_strength(2) == "auto"


def test_names_of_sets(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "Set5/below").mkdir(parents=True)
    (tmp_path / "Set14").symlink_to("Set5")
    monkeypatch.chdir(tmp_path / "Set5/below")
    assert [set_name(Path(name)) for name in ("..", "../", "../../Set14", "../below/..")] == [
        "Set5",
        "Set5",
        "Set14",
        "Set5",
    ]


@pytest.mark.real
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set5_has_the_published_bicubic_figure(shared: Path, scale: int) -> None:
    scores = measure_set(shared / "data/test/Set5", scale, {}, published=True)
    assert len(scores.pictures[BICUBIC]) == 5
