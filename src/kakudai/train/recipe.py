"""One flat, complete description of a training run, read from TOML. Unknown keys are refused."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kakudai.degrade.shrink import Downsampling
from kakudai.degrade.strength import SPREAD, DamageKind
from kakudai.errors import RecipeError
from kakudai.networks import network_names
from kakudai.train.recipe_words import complaints, suggestion, unknown_keys

Positive = Annotated[float, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]


NO_TOML = (ValueError, RecursionError)
"""What `tomllib` raises: also for numbers of more digits, and brackets deeper, than Python takes."""

VALIDATE_ON = "name a folder of PNG files, as Set5 is: --set validate_on=DIR"
"""What to do where there is nothing to validate on."""


class Recipe(BaseModel):
    """Everything that decides the outcome of a training run.

    Convention: paths are relative to the folder the command is started in. A step is one update of the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="Name of the weight file.",
        json_schema_extra={"kind": "text of lower-case letters, digits and hyphens"},
    )
    version: str = Field(description="Version of the weight file.")
    licence: str = Field(description="Licence the weights are given under.")

    network: str = Field(description="A file in networks/.")
    arguments: dict[str, int | float | bool | str] = Field(
        description="The network's arguments, without scale and in_channels."
    )
    scale: Count = Field(description="Enlargement factor of what is exported and validated.")
    scales: list[Count] | None = Field(
        default=None,
        min_length=1,
        description="Enlargement factors of a network that learns several at once; a step's is drawn from these.",
    )
    color: Literal["luma", "rgb"] = Field(description="What the network sees; chroma is enlarged by Lanczos for luma.")
    start: Path | None = Field(
        default=None, description="Weights to begin with, where names and shapes agree; else random ones."
    )

    pack: str = Field(
        min_length=1,
        description='Packed training pictures, or "drawn:photo" or "drawn:art", which may end in how many: ":200".',
    )
    favour: dict[str, Positive] = Field(
        default={},
        description="Folders of the pack whose crops come more often, and how many times; else as their size says.",
    )
    blur: list[Amount] = Field(min_length=1, description="Blurs offered, in high-resolution pixels.")
    downsampling: list[Downsampling] = Field(
        default=["bicubic"], min_length=1, description="Filters offered for making the low-resolution side."
    )
    noise: str | None = Field(
        default=None,
        pattern=r"^(art|photo)-[0-3]$",
        json_schema_extra={"kind": 'one of "art-0" to "art-3" and "photo-0" to "photo-3"'},
        description='JPEG damage of the low-resolution side, a level of waifu2x: "art-1", "photo-3".',
    )
    noise_rate: Share = Field(default=0.65, description="Share of the crops that get the noise.")
    damage: DamageKind | None = Field(
        default=None,
        description="Damage of any strength, JPEG and noise, of photographs or of drawings; the network is told how "
        "strong it is by one more input plane.",
    )
    damage_spread: tuple[Positive, Positive] = Field(
        default=SPREAD,
        description="How strong damage is: alpha and beta of a beta distribution. Larger alpha for more of the strong.",
    )
    active_cropping: Share = Field(
        default=0.0, description="Share of the crops that are the most textured of `crop_tries`, not just any."
    )
    crop_tries: Count = Field(default=10, description="Places an active crop is chosen from.")
    patch: Count = Field(description="Side of a crop in low-resolution pixels.")
    shave: Number = Field(
        default=0, description="High-resolution pixels on each side of a crop that the loss does not look at."
    )
    batch: Count = Field(description="Crops in a step, of all processes together.")

    steps: Count = Field(description="Length of the run.")
    epoch: Count = Field(default=1000, description="Steps that plots call an epoch.")
    loss: Literal["l1", "mse", "charbonnier", "huber", "fourier"] = Field(description="Loss of all steps but the last.")
    loss_channels: Literal["rgb", "luma_chroma"] = Field(
        default="rgb",
        description="What the loss compares: red, green and blue, or luma at twice and chroma at half their weight.",
    )
    fourier_weight: Amount = Field(default=0.05, description="Weight of the Fourier part of the loss `fourier`.")
    mse_steps: Number = Field(description="How many of the last steps use the mean squared error, PSNR's own measure.")
    adversarial: Amount = Field(default=0.0, description="Weight of the adversarial loss; 0 trains no discriminator.")
    feature_matching: Amount = Field(
        default=0.0, description="Weight of the distance between the discriminator's features."
    )
    vgg: Amount = Field(default=0.0, description="Weight of the distance between VGG's features.")
    vgg_weights: Path | None = Field(default=None, description="torchvision's weight file of VGG19.")
    discriminator_rate: Positive = Field(default=1e-4, description="Learning rate of the discriminator.")

    optimiser: Literal["adam", "sgd", "muon"] = Field(
        default="adam",
        description="What turns gradients into steps; muon is for the kernels inside, with Adam for all else.",
    )
    kernel_rate: Positive = Field(default=2.0, description="Muon's learning rate, as a multiple of Adam's.")
    betas: tuple[Decay, Decay] = Field(default=(0.9, 0.999), description="Adam's averaging constants.")
    momentum: Decay = Field(default=0.9, description="Momentum of sgd.")
    weight_decay: Amount = Field(default=0.0, description="What is added to a gradient for each unit of its weight.")
    learning_rate: Positive = Field(description="Highest learning rate.")
    final_learning_rate: Amount = Field(
        default=0.0, description="Where `cosine` arrives with the last step, and below which no other schedule falls."
    )
    warmup_steps: Number = Field(description="Steps in which the learning rate rises linearly.")
    schedule: Literal["cosine", "constant", "step", "plateau", "inverse"] = Field(
        default="cosine",
        description="How the learning rate falls: along half a cosine; not at all; by `step_factor` every `step_every` "
        "steps; by it after `patience` validations without a better one; or as waifu2x's 1 / (1 + 3e-7 crops).",
    )
    step_every: Count | None = Field(default=None, description="Steps between two falls of `step`.")
    step_factor: float = Field(default=0.1, gt=0, lt=1, description="What `step` and `plateau` multiply the rate by.")
    patience: Count = Field(default=5, description="Validations that `plateau` waits for a better one.")
    last_layer_rate: Positive = Field(
        default=1.0, description="Learning rate of the last layer, as a multiple of that of the others."
    )
    clip_gradient: Positive | None = Field(default=None, description="Largest norm of all gradients together.")
    clip_gradient_by_rate: Positive | None = Field(
        default=None, description="Largest gradient of a weight, times the learning rate: VDSR's clipping."
    )
    average: Decay = Field(description="Decay of the moving average of the weights; the average is what ships.")
    ship: Literal["best", "last"] = Field(
        default="best", description="Which weights ship: those of the best validation, or the last ones."
    )
    early_stop: Count | None = Field(
        default=None, description="Validations without a better one after which the run ends."
    )

    precision: Precision = Field(
        description="Arithmetic of the convolutions; weights are always float32. float16 needs a GPU."
    )
    float32_steps: Number = Field(description="How many of the last steps use float32 whatever `precision` says.")
    accelerator: Literal["auto", "cpu", "cuda"] = Field(description="Where to train, in Fabric's words.")
    devices: Count = Field(default=1, description="Processes that share each batch, one per device.")
    threads: Count = Field(description="Processor threads of a process.")
    seed: Number = Field(description="Decides the first weights and every crop.")

    validate_on: Path | None = Field(default=None, description="Folder of high-resolution pictures to measure PSNR on.")
    validate_every: Count = Field(description="Steps between measurements.")
    checkpoint_every: Count = Field(description="Steps between checkpoints.")
    progress_picture: Path | None = Field(default=None, description="Picture that is enlarged while the run goes on.")
    progress_epochs: list[Count] = Field(default=[], description="Epochs at whose end it is.")

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        wrong = contradictions(self)
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def contradictions(recipe: Recipe) -> list[str]:
    """Say which keys, each right by itself, do not go together."""
    smallest = recipe.patch * min(recipe.scales or [recipe.scale])
    rules = [
        (recipe.network not in network_names(),
         f"network: no network is called {recipe.network!r}; there are {', '.join(network_names())}"),
        (recipe.scales is not None and recipe.scale not in recipe.scales,
         f"scale: {recipe.scale} is not among the scales {recipe.scales}"),
        (smallest <= 2 * recipe.shave,
         f"shave: {recipe.shave} on each side leave nothing of crops of {smallest} high-resolution pixels"),
        (recipe.noise is not None and recipe.damage is not None,
         "damage: the crops have noise already; leave one of the two out"),
        (recipe.loss_channels == "luma_chroma" and recipe.color == "luma",
         'loss_channels: there is no chroma to compare; color must be "rgb"'),
        (recipe.damage is not None and recipe.color == "luma",
         'damage: damage is in colour too; color must be "rgb"'),
        (recipe.damage is not None and recipe.arguments.get("planes") != 1,
         "damage: the network is told by one more input plane: arguments = { planes = 1, ... }"),
        (recipe.optimiser == "muon" and recipe.last_layer_rate != 1,
         "last_layer_rate: with muon the last layer is Adam's, and kernel_rate is for those inside"),
        (recipe.optimiser == "muon" and recipe.weight_decay != 0,
         "weight_decay: muon has none"),
        (recipe.damage is None and recipe.arguments.get("planes", 0) != 0,
         "damage: without it there is nothing for the network's planes to say"),
        (recipe.batch % recipe.devices != 0,
         f"devices: a batch of {recipe.batch} cannot be shared equally by {recipe.devices}"),
        (recipe.final_learning_rate > recipe.learning_rate,
         f"final_learning_rate: {recipe.final_learning_rate:g} is above learning_rate, {recipe.learning_rate:g}"),
        (recipe.schedule == "step" and recipe.step_every is None,
         'step_every: the schedule "step" needs it'),
        (recipe.schedule == "plateau" and recipe.validate_on is None,
         'validate_on: the schedule "plateau" needs pictures to validate on'),
        (recipe.early_stop is not None and recipe.validate_on is None,
         "validate_on: early_stop needs pictures to validate on"),
        (bool(recipe.progress_epochs) and recipe.progress_picture is None,
         "progress_picture: progress_epochs needs a picture to enlarge"),
        (recipe.progress_picture is not None and not recipe.progress_epochs,
         "progress_epochs: progress_picture needs the epochs at whose end it is enlarged"),
        (recipe.adversarial == 0 and recipe.feature_matching > 0,
         "feature_matching: it needs the discriminator, so adversarial above 0"),
        (recipe.vgg > 0 and recipe.vgg_weights is None,
         "vgg_weights: vgg needs the weight file of VGG19"),
    ]  # fmt: skip
    return [text for broken, text in rules if broken]


def surprises(recipe: Recipe) -> list[str]:
    """Say where a recipe, right as it is, trains something else than its reader will think."""
    steps = recipe.steps
    rules = [
        (recipe.loss != "mse" and recipe.mse_steps >= steps,
         f"mse_steps is {recipe.mse_steps} of {steps} steps: loss = \"{recipe.loss}\" is never used"),
        (recipe.precision != "float32" and recipe.float32_steps >= steps,
         f"float32_steps is {recipe.float32_steps} of {steps} steps: precision = \"{recipe.precision}\" is never used"),
        (recipe.warmup_steps > 0 and 2 * recipe.warmup_steps >= steps,
         f"warmup_steps is {recipe.warmup_steps} of {steps} steps: the learning rate rises for half the run or more"),
    ]  # fmt: skip
    return [text for surprising, text in rules if surprising]


def read_recipe(path: Path, changes: dict[str, str] | None = None) -> Recipe:
    """Read a recipe and apply `key=value` changes, whose values are TOML.

    Raises:
        RecipeError: The file is missing or no TOML, or a key is unknown, missing or out of range, or contradicts
        another; all of them are named.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        for key, text in (changes or {}).items():
            values[key] = _toml_value(text)
        return Recipe.model_validate(values)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"no recipe at {path}", "recipes of the shipped networks are in recipes/") from error
    except ValidationError as error:
        raise RecipeError(f"{path}: {complaints(error, Recipe.model_json_schema())}", _hint(error)) from error
    except NO_TOML as error:
        raise RecipeError(f"{path}: {error}", "a recipe is TOML: key = value, one a line") from error


def check_validation(folder: Path) -> None:
    """Refuse, before any work, to validate on what is no folder.

    Raises:
        RecipeError: It is none.
    """
    if not folder.is_dir():
        raise RecipeError(f"there is no folder {folder} to validate on", VALIDATE_ON)


def _hint(error: ValidationError) -> str:
    """Name the keys where one is unknown: those that look like it, or all."""
    unknown = unknown_keys(error)
    if not unknown:
        return "correct the recipe, or the --set that changes it"
    return suggestion(unknown, list(Recipe.model_fields), "the keys are")


def _toml_value(text: str) -> Any:
    """Read one TOML value; what is none is taken as a string, so that quotes can be left out in a shell."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except NO_TOML:
        return text
