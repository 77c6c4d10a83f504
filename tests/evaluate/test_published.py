"""The published figures: whole, consistent, and found for the networks that are ours too."""

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from kakudai.evaluate.published import (
    BICUBIC,
    SETS,
    bicubic_is_off,
    find,
    find_same,
    published,
    sources,
    tolerance,
)


def test_every_row_is_whole_and_says_where_it_is_from() -> None:
    rows = published()
    assert len(rows) > 120
    assert len({(row.model, row.scale) for row in rows}) == len(rows)
    for row in rows:
        assert row.sets, row.model
        assert set(row.sources) <= set(sources())
        assert set(row.remembered) <= {*SETS, "parameters", "multiply_adds"}
        assert row.sources or set(row.sets) <= set(row.remembered), f"{row.model} x{row.scale} has no source"
        assert row.mark
        for figure in row.sets.values():
            assert 20 < figure.psnr < 45
            assert figure.ssim is None or 0.6 < figure.ssim < 1


def test_no_network_is_worse_than_bicubic_and_larger_scales_are_harder() -> None:
    for row in published():
        base = find(BICUBIC, row.scale)
        assert base is not None
        for name, figure in row.sets.items():
            assert figure.psnr >= base.sets[name].psnr or row.model.startswith("SRGAN")
        harder = find(row.model, row.scale + 1)
        for name in set(harder.sets) & set(row.sets) if harder else ():
            assert harder.sets[name].psnr < row.sets[name].psnr


def test_known_figures_are_found_by_any_case() -> None:
    row = find("srcnn 9-5-5", 2)
    assert row is not None
    assert (row.sets["Set5"].psnr, row.sets["Set5"].ssim, row.multiply_adds) == (36.66, 0.9542, 52.7e9)
    assert find("SRCNN 9-5-5", 7) is None
    assert find("no such network", 2) is None


def test_an_ssim_of_another_routine_is_not_given() -> None:
    for model, scale in (("ECBSR-M16C64", 2), ("ECBSR-M16C64", 4), ("SRResNet (paper)", 4)):
        row = find(model, scale)
        assert row is not None
        assert all(figure.ssim is None for figure in row.sets.values())


def test_misprints_are_not_taken_over() -> None:
    lapsrn, vdsr = find("LapSRN", 2), find("VDSR", 4)
    assert lapsrn is not None
    assert vdsr is not None
    assert lapsrn.sets["BSD100"].psnr == 31.80
    assert vdsr.sets["BSD100"].ssim == 0.7251


def test_remembered_figures_are_marked() -> None:
    row = find("SRCNN 9-1-5", 3)
    assert row is not None
    assert not row.sets["Set5"].remembered
    assert row.sets["Set14"].remembered
    assert find("SRCNN 9-1-5", 2).mark == "remembered"


def test_ours_are_found_by_network_and_size() -> None:
    assert find_same("srcnn", 57_281, 2) is find("SRCNN 9-5-5", 2)
    assert find_same("srcnn", 57_280, 2) is None
    assert find_same("", 57_281, 2) is None
    assert find_same("fsrcnn", 12_809, 4) is find("FSRCNN", 4)


def test_the_sizes_are_those_of_the_networks() -> None:
    """Every size that a row names is that of some variant in networks/."""
    pytest.importorskip("torch")
    from kakudai.networks import find_network

    for row in published():
        if row.network:
            found = sizes(find_network(row.network), row.scale)
            assert any(size in row.counts for size in found), f"{row.model} x{row.scale}: {row.counts}"


def sizes(module, scale: int):
    """Yield the parameters of all variants of a network at one scale, in luma and RGB, without making weights."""
    import torch

    network = getattr(module, module.__all__[0])
    for arguments in module.VARIANTS.values():
        for more in ({}, {"in_channels": 3}):
            with torch.device("meta"):
                made = network(**{**arguments, "scale": scale, **more})
            yield sum(parameter.numel() for parameter in made.parameters())


def test_bicubic_must_be_within_the_tolerance() -> None:
    for scale in (2, 3, 4):
        row = find(BICUBIC, scale)
        assert row is not None
        assert set(row.sets) == set(SETS)
        for name, figure in row.sets.items():
            assert bicubic_is_off(name, scale, figure.psnr + tolerance(name) * 0.9) is None
            assert "published" in str(bicubic_is_off(name, scale, figure.psnr - tolerance(name) * 1.5))
    assert bicubic_is_off("holiday", 2, 1.0) is None
    assert bicubic_is_off("Set5", 8, 1.0) is None


def reference_rows(text: str, scale: int) -> Iterator[tuple[str, dict[str, tuple[float, ...]]]]:
    """Yield the rows of one table of the reference: model, and set -> PSNR and SSIM; of two values the first."""
    part = text[text.index(f"### 1.{scale}") : text.index(f"### 1.{scale + 1}")].split("×8 (RCAN", maxsplit=1)[0]
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in part.splitlines() if line[:1] == "|"]
    for cells in lines[2:]:
        row = dict(zip(lines[0], cells, strict=True))
        if " / " not in row["model"]:
            yield row["model"], {name: pair for name in SETS if (pair := figures(row[name]))}


def figures(cell: str) -> tuple[float, ...]:
    """Read "**33.66**/.9299", "31.92/.8946†", "36.34 [R]" or "32.42–.45/.9063–67"; nothing where there is a dash."""
    parts = [re.match(r"[*]*(\d*\.\d+)", part) for part in cell.split("/")]
    return tuple(float(match[1]) for match in parts if match)


@pytest.mark.real
def test_the_figures_are_those_of_the_reference(shared: Path) -> None:
    """Every row of the reference's tables is a row here, figure by figure, and the other way round.

    Left out are the few lines of the reference that hold two models; their names are ours.
    """
    text = (shared / "reference/published.md").read_text()
    two = {"SPAN", "SPAN-S", "HAT-S", "HAT", "DRCT", "DRCT-L"}
    with (resources.files("kakudai.evaluate") / "published.toml").open("rb") as file:
        stored = tomllib.load(file)["rows"]
    for scale in (2, 3, 4):
        ours = {row["model"]: {name: tuple(row[name]) for name in SETS if name in row} for row in stored[f"x{scale}"]}
        found = set()
        for model, sets in reference_rows(text, scale):
            same = [name for name in ours if re.split(r"[ ,]", model)[0] == re.split(r"[ ,]", name)[0]]
            equal = [name for name in same if ours[name] == sets]
            assert equal, f"{model} x{scale}: {sets}, here {[ours[name] for name in same]}"
            found.update(equal)
        own = {row.model for row in published() if row.scale == scale and row.sources == ("E",)}
        assert set(ours) - found - own <= (two if scale == 4 else set())
