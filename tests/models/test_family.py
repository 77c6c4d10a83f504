"""models/family.py: which file of a folder does what."""

from pathlib import Path

import pytest

from kakudai.errors import ModelNotFound
from kakudai.models.family import find_family, wanted_level


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_names_of_waifu2x_ncnn_vulkan(tmp_path: Path) -> None:
    names = [
        f"{stem}_model.{end}"
        for stem in ("noise0", "noise3", "scale2.0x", "noise1_scale2.0x")
        for end in ("param", "bin")
    ]
    family = find_family(touch(tmp_path / "models-cunet", *names, "readme.txt"))
    assert {level: path.name for level, path in family.denoising.items()} == {
        0: "noise0_model.param", 3: "noise3_model.param",
    }  # fmt: skip
    assert [path.name for path in family.enlarging.values()] == ["scale2.0x_model.param"]
    assert list(family.combined) == [(1, 2)]
    assert family.levels == [0, 1, 3]
    assert family.name == "models-cunet"


def test_names_of_nunif(tmp_path: Path) -> None:
    names = ["noise0.pth", "scale2x.pth", "scale4x.pth", "noise0_scale2x.pth", "noise0_scale4x.pth", "scale1x.pth"]
    family = find_family(touch(tmp_path / "swin_unet/art", *names))
    assert list(family.enlarging) == [2, 4]
    assert list(family.combined) == [(0, 2), (0, 4)]
    assert family.name == "swin_unet/art"
    assert [family.scale_for(scale, None) for scale in (1, 2, 3, 4, 8, None)] == [2, 2, 2, 4, 4, 2]


def test_the_scale_is_one_that_there_is_a_network_for(tmp_path: Path) -> None:
    family = find_family(touch(tmp_path, "scale2x.pth", "noise1_scale4x.pth", "noise0.pth"))
    assert family.scale_for(4, None) == 2
    assert [family.scale_for(scale, 1) for scale in (2, 4, 8)] == [4, 4, 4]
    assert family.scale_for(4, 0) == 2
    assert find_family(touch(tmp_path / "only", "noise0.pth")).scale_for(2, 0) == 1


def test_folders_below_are_looked_into_and_a_style_chooses(tmp_path: Path) -> None:
    touch(tmp_path / "one/models/cunet/art", "scale2.0x_model.json")
    assert find_family(tmp_path / "one/models").folder.name == "art"
    for style in ("art", "photo"):
        touch(tmp_path / "two/upconv_7" / style, "scale2.0x_model.json")
    with pytest.raises(ModelNotFound, match="several") as caught:
        find_family(tmp_path / "two")
    assert "upconv_7/photo" in caught.value.hint
    assert find_family(tmp_path / "two", "photo").name == "upconv_7/photo"
    touch(tmp_path / "plain", "scale2.0x_model.json")
    assert find_family(tmp_path / "plain", "photo").name == "plain"


@pytest.mark.parametrize("folder", ["models", "models/cunet/art"])
def test_another_style_is_not_taken_instead(tmp_path: Path, folder: str) -> None:
    touch(tmp_path / "models/cunet/art", "scale2.0x_model.json")
    with pytest.raises(ModelNotFound, match="no waifu2x networks of the style photo") as caught:
        find_family(tmp_path / folder, "photo")
    assert "art" in caught.value.hint


def test_the_first_of_several_kinds_of_files_is_taken(tmp_path: Path) -> None:
    family = find_family(touch(tmp_path, "noise1_model.json", "noise1_model.param", "noise1_model.bin"))
    assert family.denoising[1].suffix == ".param"


@pytest.mark.parametrize(
    "names", [[], ["model.json"], ["noise5_model.json"], ["scale2.5x_model.json"], ["_model.json"]]
)
def test_folders_without_networks_are_named(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ModelNotFound, match="no waifu2x networks"):
        find_family(touch(tmp_path, *names))


@pytest.mark.parametrize(("denoise", "level"), [(1, 0), (25, 0), (26, 1), (50, 1), (51, 2), (75, 2), (76, 3), (100, 3)])
def test_strengths_are_levels(denoise: int, level: int) -> None:
    assert wanted_level(denoise) == level


def test_the_nearest_level_is_taken_and_zero_is_none(tmp_path: Path) -> None:
    family = find_family(touch(tmp_path, "noise0.json", "noise3.json"))
    assert [family.level_for(denoise) for denoise in (0, 10, 50, 60, 100)] == [None, 0, 0, 3, 3]
    with pytest.raises(ModelNotFound, match="removes noise"):
        find_family(touch(tmp_path / "scale", "scale2x.json")).level_for(1)
