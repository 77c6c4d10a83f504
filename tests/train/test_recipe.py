"""Recipes refuse what they do not know, and what does not go together."""

from pathlib import Path

import pytest

from kakudai.errors import RecipeError
from kakudai.train.build import build_network, check_network
from kakudai.train.recipe import Recipe, read_recipe, surprises

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_in_the_repository_is_complete(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert path.read_text().startswith("# ")


def test_wrong_recipes_are_named(recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match=r"learning_rat: there is no such key\n") as error:
        read_recipe(recipe_file, {"learning_rat": "1"})
    assert error.value.hint == "did you mean learning_rate?"
    with pytest.raises(RecipeError, match=r"colour_space: there is no such key") as error:
        read_recipe(recipe_file, {"xyz": "1", "colour_space": "1"})
    assert "discriminator_rate" in error.value.hint
    with pytest.raises(RecipeError, match=r"steps: 0 is not a whole number of 1 or more; seed: -1 is not "):
        read_recipe(recipe_file, {"steps": "0", "seed": "-1"})
    with pytest.raises(RecipeError, match="no recipe"):
        read_recipe(recipe_file.with_name("missing.toml"))
    recipe_file.write_text("name = ")
    with pytest.raises(RecipeError, match=r"tiny\.toml"):
        read_recipe(recipe_file)


def test_changes_are_toml_and_quotes_can_be_left_out(recipe_file: Path) -> None:
    changed = read_recipe(recipe_file, {"steps": "7", "color": "rgb", "blur": "[0.5, 1]"})
    assert (changed.steps, changed.color, changed.blur) == (7, "rgb", [0.5, 1.0])


@pytest.mark.parametrize("content", [b"\xff\xfe name", None])
def test_files_that_are_no_text_and_folders(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "recipe.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"no recipe at .*recipe\.toml"):
        read_recipe(path)


def test_keys_of_several_lines_are_named_in_one(recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match=r'"two\\nlines": there is no such key') as error:
        read_recipe(recipe_file, {"two\nlines": "1"})
    assert "\n" not in error.value.message


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 5000, "{"], ids=["nested", "endless", "open"])
def test_values_that_toml_does_not_have(recipe_file: Path, value: str) -> None:
    with pytest.raises(RecipeError, match="steps: "):
        read_recipe(recipe_file, {"steps": value})
    recipe_file.write_text(f"seed = {value}\n")
    with pytest.raises(RecipeError, match=r"\.toml: ") as error:
        read_recipe(recipe_file)
    assert "is TOML" in error.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scales": "[3, 4]"}, r"scale: 2 is not among the scales \[3, 4\]"),
        ({"shave": "8"}, "shave: 8 on each side leave nothing of crops of 16 "),
        ({"scales": "[1, 2]", "shave": "4"}, "leave nothing of crops of 8 "),
        ({"devices": "3"}, "a batch of 4 cannot be shared equally by 3"),
        ({"final_learning_rate": "1"}, "final_learning_rate: 1 is above learning_rate, 0.001"),
        ({"schedule": "step"}, "step_every: the schedule"),
        ({"damage": "art", "color": "rgb"}, "damage: the network is told by one more input plane"),
        ({"damage": "art", "arguments": "{ planes = 1 }"}, 'damage: .* color must be "rgb"'),
        ({"damage": "art", "noise": "art-1"}, "damage: the crops have noise already"),
        ({"loss_channels": "luma_chroma"}, 'loss_channels: .* color must be "rgb"'),
        ({"damage": "film"}, 'damage: "film" is not one of "photo", "art"'),
        ({"arguments": "{ planes = 1 }"}, "damage: without it there is nothing"),
        ({"progress_epochs": "[1]"}, "progress_picture: "),
        ({"progress_picture": "a.png"}, "progress_epochs: "),
        ({"feature_matching": "1"}, "adversarial above 0"),
        ({"vgg": "0.1"}, "vgg_weights: "),
        ({"noise": "art-4"}, 'noise: "art-4" is not one of "art-0" to "art-3" and '),
        ({"downsampling": '["cubic"]'}, r'downsampling\.0: "cubic" is not one of "bicubic", '),
        ({"schedule": "linear"}, 'schedule: "linear" is not one of .*"plateau"'),
        ({"optimiser": "lion"}, 'optimiser: "lion" is not one of "adam", "sgd"'),
        ({"loss": "l3"}, 'loss: .*"charbonnier"'),
        ({"active_cropping": "1.5"}, "active_cropping: 1.5 is not a number from 0 to 1"),
        ({"step_factor": "1"}, "step_factor: 1 is not a number between 0 and 1"),
        ({"betas": "[0.9, 1.0]"}, r"betas\.1: 1.0 is not a number from 0 to below 1"),
        ({"learning_rate": "inf"}, "learning_rate: inf is not a finite number"),
        ({"scales": "[]"}, r"scales: \[\] is not a list that is not empty; each is a whole "),
        ({"pack": ""}, 'pack: "" is not text that is not empty'),
        ({"steps": "many"}, 'steps: "many" is not a whole number of 1 or more\n'),
        ({"scales": "[2, 0.5]"}, r"scales\.1: 0.5 is not a whole number"),
        ({"betas": "[0.9]"}, r"betas\.1: it is missing"),
        ({"start": "3"}, "start: 3 is not a path"),
        ({"arguments": "{ blocks = [1] }"}, r"arguments\.blocks: \[1\] is not a number or true or false or text\n"),
        ({"network": "espcnn"}, "network: no network is called 'espcnn'; there are .*, espcn, "),
    ],
)  # fmt: skip
def test_keys_that_contradict_each_other_are_named(recipe_file: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(recipe_file, changes)


def test_a_run_that_listens_to_validations_needs_pictures(recipe_file: Path) -> None:
    text = "\n".join(line for line in recipe_file.read_text().splitlines() if not line.startswith("validate_on"))
    recipe_file.write_text(text)
    for changes in ({"schedule": "plateau"}, {"early_stop": "3"}):
        with pytest.raises(RecipeError, match="validate_on: "):
            read_recipe(recipe_file, changes)


def test_all_contradictions_are_named_at_once(recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match=r"devices: .*; step_every: "):
        read_recipe(recipe_file, {"devices": "3", "schedule": "step"})


def test_recipes_that_train_something_else_than_they_say(recipe: Recipe) -> None:
    def said(**changes: object) -> list[str]:
        return surprises(recipe.model_copy(update=changes))

    assert not said()
    assert not said(loss="mse", mse_steps=120, float32_steps=120, warmup_steps=59)
    assert said(mse_steps=120) == ['mse_steps is 120 of 120 steps: loss = "l1" is never used']
    assert 'precision = "bfloat16" is never' in said(precision="bfloat16", float32_steps=200)[0]
    assert said(warmup_steps=60, mse_steps=500)[1].startswith("warmup_steps is 60 of 120 steps: ")


def test_every_key_is_described() -> None:
    assert all(field.description for field in Recipe.model_fields.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 5}, "has no scale 5"),
        ({"scales": [2, 3]}, "cannot be set to scale 3"),
        ({"network": "srcnn", "arguments": {}, "scales": [2, 3]}, "cannot be set to scale 3"),
        (
            {"arguments": {"activation": "sine"}},
            '^network .ecbsr.: activation: "sine" is not one of "relu", "leaky_relu"',
        ),
        ({"arguments": {"depth": 3}}, r"no argument 'depth'\nhint: its arguments are channels, blocks, activation, "),
        ({"arguments": {"chanels": 3}}, r"no argument 'chanels'\nhint: did you mean channels\?"),
        ({"arguments": {"scale": 3}}, "no argument 'scale'"),
        ({"arguments": {"blocks": 1.5}}, "blocks: 1.5 is not a whole number\n"),
        ({"network": "cnn_small", "arguments": {"out_channels": 3}}, r"takes 1 channel\(s\) and gives 3"),
        ({"network": "waifu2x", "arguments": {"variant": "cunet"}, "scale": 1, "patch": 30}, "crops of 30 pixels"),
    ],
)
def test_networks_that_cannot_do_what_is_asked(recipe: Recipe, changes: dict[str, object], message: str) -> None:
    changed = recipe.model_copy(update=changes)
    with pytest.raises(RecipeError, match=message):
        check_network(changed, build_network(changed))


def test_networks_whose_scale_can_be_set_keep_their_own(recipe: Recipe) -> None:
    mixed = recipe.model_copy(update={"network": "vdsr", "arguments": {"layers": 3, "channels": 4}, "scales": [2, 3]})
    network = build_network(mixed)
    check_network(mixed, network)
    assert network.scale == 2
    assert network.training
