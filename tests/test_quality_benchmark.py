"""`benchmarks/quality.py`: every figure is measured once, new weights alone are measured again, the page has it all."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from PIL import Image

from kakudai import Upscaler
from kakudai.models.catalogue import model_from_bytes
from tests.small_models import nearest, told

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIDE = 96


@pytest.fixture
def quality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with few conditions, no shipped networks, and its files in a folder of the test."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    module = importlib.import_module("quality")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results/quality.json")
    monkeypatch.setattr(module, "PAGE", tmp_path / "quality.md")
    monkeypatch.setattr(module, "IMAGE", module.ROOT / "docs/images/not-written.png")
    monkeypatch.setattr(module, "plot", lambda methods, store, target: [])
    monkeypatch.setattr(sys.modules["quality_methods"], "list_models", list)
    monkeypatch.setattr(sys.modules["quality_clean"], "PUBLISHED", ("Set5",))
    monkeypatch.setattr(sys.modules["quality_clean"], "DRAWN", ("comic",))
    monkeypatch.setattr(sys.modules["quality_clean"], "KERNELS", ("bicubic",))
    for name in ("quality_damaged", "quality_damaged_page"):
        monkeypatch.setattr(sys.modules[name], "QUALITIES", (20, 90))
        monkeypatch.setattr(sys.modules[name], "CHROMAS", ("4:2:0",))
    return module


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder like the shared one, with small pictures and no networks of others."""
    rng = np.random.default_rng(2)
    for name in ("Set5", "BSD100", "anime", "comic"):
        folder = tmp_path / "shared/data/test" / name
        folder.mkdir(parents=True)
        for number in range(2):
            coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
            coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    (tmp_path / "shared/models").mkdir()
    return tmp_path / "shared"


@pytest.fixture
def words(tmp_path: Path, pictures: Path) -> list[str]:
    """Arguments that name a network for clean photographs and two that restore them."""
    files = {
        "photo-x2": nearest(2, name="photo-x2"),
        "photo-restore-x2": told(2, "photo-restore-x2"),
        "photo-restore-x1": told(1, "photo-restore-x1"),
    }
    found = [str(pictures), "--threads", "1"]
    for name, data in files.items():
        (tmp_path / f"{name}.onnx").write_bytes(data)
        found += ["--model", f"{name}={tmp_path / name}.onnx"]
    return found


def kept(quality: ModuleType) -> dict[str, dict]:
    return json.loads(quality.RESULTS.read_text())


def test_everything_is_measured_and_the_page_has_it(quality: ModuleType, words: list[str], capsys) -> None:
    quality.main(words)
    page = capsys.readouterr().out
    figures = kept(quality)
    assert {key.split(" | ")[0] for key in figures} == {
        "clean x2", "jpeg x1", "jpeg x2", "strengths x1", "strengths x2", "false alarms",
    }  # fmt: skip
    assert all(len(entry["psnr"]) in (1, 2) for entry in figures.values() if "psnr" in entry)
    assert "**Not of shipped networks: photo-x2, photo-restore-x2, photo-restore-x1.**" in page
    assert not quality.PAGE.exists(), "the page is of what is shipped"
    assert "### BSD100: photo-restore-x2" in page
    assert "art-restore-x2 is not shipped." in page
    assert "| photo-restore-x2, BSD100 |" in page
    assert "**BSD100: above the others in 0 of 2**" in page, "a network that only darkens is not better than none"
    assert "| BSD100 | 2 | 0 | 0 |" in page


def test_the_best_strength_lies_between_two_that_were_measured(
    quality: ModuleType, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["quality_damaged"], "QUALITIES", (20,))
    quality.main([*words, "--only", "damaged"])
    measured = {key.split(" @")[1] for key in kept(quality) if "photo-restore-x2" in key and "4:2:0 20" in key}
    assert measured == {str(strength) for strength in range(0, 91, 10)}, "down to 0, where darkening is least"


def test_nothing_is_measured_twice(quality: ModuleType, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    quality.main([*words, "--only", "damaged"])
    quality.main([*words, "--only", "automatic"])
    before = quality.RESULTS.read_text()

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(sys.modules["quality_methods"].Running, "run", never)
    quality.main([*words, "--only", "damaged"])
    quality.main([*words, "--only", "automatic"])
    assert quality.RESULTS.read_text() == before


def test_new_weights_alone_are_measured(quality: ModuleType, words: list[str], tmp_path: Path) -> None:
    quality.main([*words, "--only", "damaged"])
    before = kept(quality)
    other = onnx.load_from_string(told(1, "photo-restore-x1"))
    for node in other.graph.node:
        for attribute in node.attribute:
            attribute.doc_string = "another file"
    (tmp_path / "photo-restore-x1.onnx").write_bytes(other.SerializeToString())
    quality.main([*words, "--only", "damaged"])
    new = kept(quality).keys() - before.keys()
    assert new
    assert all("photo-restore-x1 #" in key for key in new)
    assert before.keys() <= kept(quality).keys()


def test_a_trial_keeps_nothing(quality: ModuleType, words: list[str], capsys) -> None:
    quality.main([*words, "--pictures", "1", "--only", "damaged"])
    assert not quality.RESULTS.exists()
    assert not quality.PAGE.exists()
    assert "### BSD100: photo-restore-x2" in capsys.readouterr().out


def test_a_fingerprint_is_of_the_network_and_not_of_what_its_card_tells(quality: ModuleType) -> None:
    fingerprint = sys.modules["quality_methods"].fingerprint

    def of(data: bytes) -> str:
        return fingerprint(model_from_bytes(data, "a file"))

    assert of(nearest(2)) == of(nearest(2, licence="CC0-1.0 or MIT", quality='{"Set5 x2": {}}'))
    assert of(nearest(2)) != of(nearest(3))
    assert of(nearest(2)) != of(nearest(2, border="edge")), "it is run in another way"


def test_networks_run_as_upscaler_runs_them(quality: ModuleType) -> None:
    methods = sys.modules["quality_methods"]
    model = model_from_bytes(told(2, "restores"), "a file")
    method = methods.Method("restores", "0", model)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    with Upscaler(2, model=model, denoise=60, threads=1) as upscaler:
        assert np.array_equal(methods.Running(1).run(method, image, 60), upscaler.upscale(image))


def test_what_was_measured_with_older_networks_is_dropped(quality: ModuleType, tmp_path: Path) -> None:
    store = sys.modules["quality_store"].Store(tmp_path / "kept.json")
    names = ["bicubic", "waifu2x art #1a", "photo-x2 #1a", "photo-x2 #2b", "photo-restore-x2 #1a @40"]
    for name in names:
        store.put("clean x2", "Set5", "bicubic", name, entry={"psnr": [1.0, 2.0]})
    store.forget_others(["photo-x2 #2b"])
    again = sys.modules["quality_store"].Store(tmp_path / "kept.json")
    left = [name for name in names if again.get("clean x2", "Set5", "bicubic", name)]
    assert left == ["bicubic", "waifu2x art #1a", "photo-x2 #2b"]
    assert again.mean("clean x2", "Set5", "bicubic", "bicubic") == 1.5


def test_the_verdict_names_what_is_not_above(quality: ModuleType) -> None:
    verdict = sys.modules["quality_damaged_page"].verdict
    assert verdict("comic", "waifu2x's best", {"4:2:0 20": 0.5, "4:2:0 30": 0.25}) == (
        "**comic: above waifu2x's best in all 2 of 2**; least: +0.25 dB, 4:2:0 30."
    )
    assert "above waifu2x's best in 1 of 2**; not above: 4:2:0 30 (-0.25)." in verdict(
        "comic", "waifu2x's best", {"4:2:0 20": 0.5, "4:2:0 30": -0.25}
    )


def test_a_stand_in_needs_a_name_and_a_path(quality: ModuleType, pictures: Path) -> None:
    with pytest.raises(SystemExit):
        quality.main([str(pictures), "--model", "photo-restore=net.onnx"])
