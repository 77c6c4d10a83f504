"""engine/tools.py and the plans with several networks: none means none, and nothing is denoised twice."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tests.families import COMBINED, ENLARGED, NOISE, dimmed, make_family
from tests.small_models import nearest

from kakudai.engine.plan import Means, Plan, Size, make_plan
from kakudai.engine.tools import Wish
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import ModelInvalid, ModelNotFound, UsageError
from kakudai.models.catalogue import model_from_bytes

ALL = [f"noise{level}" for level in range(4)] + [f"noise{level}_scale2.0x" for level in range(4)] + ["scale2.0x"]
GREY = np.full((12, 16, 3), 0.5, np.float32)


def runs(folder: Path, scale: float, denoise: int | Literal["auto"]) -> tuple[float, tuple[int, int]]:
    """Return what the networks together multiplied by, and the size."""
    with Upscaler(scale, model=folder, denoise=denoise) as upscaler:
        result = upscaler.upscale(GREY)
    return float(result.mean()) / 0.5, result.shape[:2]


@pytest.mark.parametrize(
    ("scale", "denoise", "factor"),
    [
        (2, 0, ENLARGED),
        (2, "auto", ENLARGED),
        (4, 0, ENLARGED**2),
        (2, 25, COMBINED[0]),
        (2, 50, COMBINED[1]),
        (4, 75, COMBINED[2] * ENLARGED),
        (8, 100, COMBINED[3] * ENLARGED**2),
        (1, 100, NOISE[3]),
        (1, 0, 1.0),
        (3, 30, COMBINED[1] * ENLARGED),
        (0.5, 60, NOISE[2]),
    ],
)
def test_noise_is_removed_once_or_not_at_all(
    tmp_path: Path, scale: float, denoise: int | Literal["auto"], factor: float
) -> None:
    value, size = runs(make_family(tmp_path, *ALL), scale, denoise)
    assert value == pytest.approx(factor, abs=2e-4)
    assert size == (round(12 * scale), round(16 * scale))


@pytest.mark.parametrize(
    ("names", "scale", "denoise", "factor"),
    [
        (["noise1", "scale2.0x"], 2, 50, NOISE[1] * ENLARGED),
        (["noise1", "scale2.0x"], 4, 50, NOISE[1] * ENLARGED**2),
        (["noise1_scale2.0x", "scale2.0x"], 1, 50, COMBINED[1]),
        (["noise1_scale2.0x"], 4, 50, COMBINED[1]),
        (["noise1"], 2, 50, NOISE[1]),
        (["scale4x", "scale2.0x"], 4, "auto", ENLARGED),
        (["scale4x", "scale2.0x"], 2, "auto", ENLARGED),
        (["noise1_scale2.0x", "scale2.0x", "scale4x"], 4, 50, COMBINED[1] * ENLARGED),
        (["noise1_scale4x", "scale2.0x"], 2, 50, COMBINED[1]),
    ],
)
def test_folders_that_have_not_everything(tmp_path, names: list[str], scale: float, denoise, factor: float) -> None:
    value, size = runs(make_family(tmp_path, *names), scale, denoise)
    assert value == pytest.approx(factor, abs=2e-4)
    assert size == (12 * scale, 16 * scale)


def test_networks_that_are_not_needed_are_not_even_opened(tmp_path: Path) -> None:
    folder = make_family(tmp_path, "scale2.0x")
    for name in ("noise0_model.onnx", "noise0_scale2.0x_model.onnx"):
        (folder / name).write_bytes(b"no network")
    assert runs(folder, 4, 0)[0] == pytest.approx(ENLARGED**2, abs=1e-3)
    with pytest.raises(ModelInvalid):
        runs(folder, 4, 1)


def test_at_the_same_size_no_network_that_enlarges_is_opened(tmp_path: Path) -> None:
    folder = make_family(tmp_path, "noise1")
    (folder / "scale2.0x_model.onnx").write_bytes(b"no network")
    assert runs(folder, 1, 50) == (pytest.approx(NOISE[1], abs=2e-4), (12, 16))


def test_what_is_chosen_otherwise_is_said(tmp_path: Path) -> None:
    folder = make_family(tmp_path / "art", "noise0_scale2.0x", "scale2.0x")
    with Upscaler(model=folder, denoise=100) as upscaler:
        assert upscaler.notes == (f"{tmp_path.name}/art has noise levels 0: level 0 is used instead of 3",)
        assert upscaler.name == f"{tmp_path.name}/art noise 0"
    with Upscaler(model=folder, denoise=20) as upscaler:
        assert upscaler.notes == ()
    with Upscaler(4, model=make_family(tmp_path / "b", "noise1"), denoise=50) as upscaler:
        assert "Lanczos" in upscaler.notes[0]


@pytest.mark.parametrize("names", [["noise2", "scale2.0x"], ["noise2_scale2.0x", "scale2.0x"], ["noise2_scale2.0x"]])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_nobody_removes_noise_from_alpha(tmp_path: Path, names: list[str], scale: int) -> None:
    """Alpha is enlarged by the network that only enlarges, or by none; at the same size it is copied."""
    image = np.full((12, 16, 4), 0.5, np.float32)
    image[..., 3] = np.linspace(0.2, 0.8, 16)
    with Upscaler(scale, model=make_family(tmp_path, *names), denoise=75) as upscaler:
        alpha = upscaler.upscale(image)[..., 3]
    if scale == 1:
        np.testing.assert_array_equal(alpha, image[..., 3])
    else:
        passes = {2: 1, 4: 2}[scale] if "scale2.0x" in names else 0
        assert alpha.mean() == pytest.approx(0.5 * ENLARGED**passes, abs=5e-4)


def test_a_single_network_that_restores_is_run_once(tmp_path: Path) -> None:
    path = tmp_path / "restore.onnx"
    path.write_bytes(dimmed(0.995, 1))
    for scale in (1, 2):
        value, size = runs(path, scale, "auto")
        assert value == pytest.approx(0.995, abs=1e-4)
        assert size == (12 * scale, 16 * scale)
    with pytest.raises(UsageError, match="nothing but restore"):
        runs(path, 1, 0)


def test_wishes_that_cannot_be_met_are_named(tmp_path: Path) -> None:
    model = model_from_bytes(nearest(), "test")
    with pytest.raises(UsageError, match="no strength"):
        Upscaler(model=model, denoise=50)
    Upscaler(model=model, denoise=0).close()
    for value in (-1, 101):
        with pytest.raises(UsageError, match="denoise"):
            Wish(denoise=value)
    with pytest.raises(ModelNotFound, match="only enlarges"):
        Upscaler(model=make_family(tmp_path / "a", "noise1"), denoise=0)
    with pytest.raises(ModelNotFound, match="removes noise"):
        Upscaler(model=make_family(tmp_path / "b", "scale2.0x"), denoise=10)
    wrong = make_family(tmp_path / "c", "scale2.0x")
    (wrong / "scale2.0x_model.onnx").write_bytes(dimmed(1.0, 1))
    with pytest.raises(ModelInvalid, match="enlarges 1 times"):
        Upscaler(model=wrong)


@pytest.mark.parametrize(
    ("scale", "means", "plan"),
    [
        (4, Means(2, denoises=True), Plan(2, (40, 60), "before")),
        (4, Means(2, combined=True), Plan(2, (40, 60), "within")),
        (4, Means(2, enlarges=False, combined=True), Plan(1, (40, 60), "within")),
        (1, Means(2, denoises=True), Plan(0, (10, 15), "before")),
        (1, Means(2, combined=True), Plan(1, (10, 15), "within")),
        (1, Means(2, denoises=True, combined=True), Plan(0, (10, 15), "before")),
        (2, Means(2, denoises=True, combined=True), Plan(1, (20, 30), "within")),
        (2, Means(1, enlarges=False, denoises=True), Plan(0, (20, 30), "before")),
        (4, Means(4), Plan(1, (40, 60))),
        (8, Means(4), Plan(2, (80, 120))),
    ],
)
def test_plans_with_several_networks(scale: float, means: Means, plan: Plan) -> None:
    assert make_plan(10, 15, Size(scale=scale), means) == plan
    assert plan.runs == plan.passes + (plan.denoising == "before")
