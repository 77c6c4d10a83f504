"""`kakudai denoise`: the size stays, the damage goes, and what is clean is left alone."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.families import dimmed
from tests.small_models import DARKER, told

from kakudai.cli.main import run
from kakudai.image.files import read_image


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with a network that shows what it is told, and a picture that was compressed."""
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(told(1, "restores"))
    rng = np.random.default_rng(1)
    smooth = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((128, 96)))
    compressed = io.BytesIO()
    Image.fromarray(smooth).save(compressed, "JPEG", quality=40, subsampling=2)
    Path("old.jpg").write_bytes(compressed.getvalue())
    Image.fromarray(smooth).save("clean.png")
    return tmp_path


def denoise(*words: str) -> int:
    return run(["denoise", *words, "-m", "net.onnx"])


def test_the_strength_is_that_of_the_file_and_is_said(folder: Path, capsys) -> None:
    assert denoise("old.jpg", "--format", "png") == 0
    said = capsys.readouterr().err
    assert "old.jpg -> old_clean.png  128x96 -> 128x96  restores, strength 50: photograph, JPEG quality 40" in said
    expected = read_image("old.jpg").color * (1 - DARKER * 0.5)
    assert np.abs(read_image("old_clean.png").color - expected).max() <= 1


def test_a_strength_that_is_asked_for_is_used(folder: Path, capsys) -> None:
    assert denoise("clean.png", "-d", "100", "--json", "-q") == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["strength"], line["output_size"]) == (100, [128, 96])
    assert np.abs(read_image("clean_clean.png").color - read_image("clean.png").color * (1 - DARKER)).max() <= 1


def test_what_is_clean_stays_as_it_is(folder: Path, capsys) -> None:
    assert denoise("clean.png", "-o", "same.png") == 0
    assert (read_image("same.png").color == read_image("clean.png").color).all()


def test_a_clean_file_is_copied_as_it_is_unless_more_is_asked_for(folder: Path, capsys) -> None:
    Image.open("clean.png").save("fine.jpg", quality=98)
    assert denoise("fine.jpg", "-o", "same.jpg") == 0
    assert "unchanged" in capsys.readouterr().err
    assert Path("same.jpg").read_bytes() == Path("fine.jpg").read_bytes()
    assert denoise("fine.jpg", "-o", "less.jpg", "--quality", "60") == 0
    assert Path("less.jpg").stat().st_size < Path("fine.jpg").stat().st_size


def test_it_says_before_what_it_would_do(folder: Path, capsys) -> None:
    assert denoise("old.jpg", "--dry-run") == 0
    assert "old.jpg -> old_clean.jpg  128x96 -> 128x96  1 x restores, strength 50" in capsys.readouterr().out
    assert not Path("old_clean.jpg").exists()


def test_a_network_that_only_enlarges_removes_nothing_and_that_is_said(folder: Path, capsys) -> None:
    assert run(["denoise", "old.jpg", "-m", "photo-x2"]) == 0
    assert "photo-x2 only enlarges: nothing is removed" in capsys.readouterr().err
    assert Path("old_clean.jpg").read_bytes() == Path("old.jpg").read_bytes()


def test_a_network_without_a_strength_cannot_be_told_one(folder: Path, capsys) -> None:
    Path("rest.onnx").write_bytes(dimmed(0.995, 1))
    assert run(["denoise", "old.jpg", "-m", "rest.onnx"]) == 0
    assert run(["denoise", "old.jpg", "-m", "rest.onnx", "-d", "30", "-o", "b.jpg"]) == 2
    assert "test restores and has no strength of denoising to choose" in capsys.readouterr().err


def test_with_no_strength_nothing_is_done(folder: Path, capsys) -> None:
    assert run(["denoise", "old.jpg", "-m", "photo", "-d", "0"]) == 0
    assert "unchanged" in capsys.readouterr().err


@pytest.mark.parametrize("strength", ["101", "-1", "much", "3.5"])
def test_a_strength_out_of_range_is_wrong_usage(folder: Path, strength: str, capsys) -> None:
    assert denoise("old.jpg", f"--denoise={strength}") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "0" in lines[1]
    assert "100" in lines[1]
