"""One flat, complete description of a training run, read from TOML. Unknown keys are refused."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kakudai.errors import RecipeError

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Recipe(BaseModel):
    """Everything that decides the outcome of a training run.

    Convention: paths are relative to the folder the command is started in. A step is one update of the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Name of the weight file.")
    version: str = Field(description="Version of the weight file.")
    licence: str = Field(description="Licence the weights are given under.")

    network: str = Field(description="A file in networks/.")
    arguments: dict[str, int | float | bool | str] = Field(
        description="The network's arguments, without scale and in_channels."
    )
    scale: Count = Field(description="Enlargement factor.")
    color: Literal["luma", "rgb"] = Field(description="What the network sees; chroma is enlarged by Lanczos for luma.")

    start: Path | None = Field(
        default=None, description="Weights to begin with, where names and shapes agree; else random ones."
    )

    pack: Path = Field(description="Packed training pictures.")
    blur: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1, description="Blurs offered, in high-resolution pixels."
    )
    patch: Count = Field(description="Side of a crop in low-resolution pixels.")
    batch: Count = Field(description="Crops in a step.")

    steps: Count = Field(description="Length of the run.")
    loss: Literal["l1", "mse"] = Field(description="Loss of all steps but the last.")
    mse_steps: int = Field(
        ge=0, description="How many of the last steps use the mean squared error, PSNR's own measure."
    )
    learning_rate: Positive = Field(description="Highest learning rate of Adam.")
    final_learning_rate: Positive = Field(description="Learning rate of the last step, reached by a cosine.")
    warmup_steps: int = Field(ge=0, description="Steps in which the learning rate rises linearly.")
    betas: tuple[float, float] = Field(description="Adam's averaging constants.")
    average: float = Field(
        ge=0, lt=1, description="Decay of the moving average of the weights; the average is what ships."
    )

    precision: Literal["float32", "bfloat16"] = Field(
        description="Arithmetic of the convolutions; weights are always float32."
    )
    float32_steps: int = Field(ge=0, description="How many of the last steps use float32 whatever `precision` says.")
    accelerator: Literal["auto", "cpu", "cuda"] = Field(description="Where to train, in Fabric's words.")
    threads: Count = Field(description="Processor threads.")
    seed: int = Field(ge=0, description="Decides the first weights and every crop.")

    validate_on: Path | None = Field(description="Folder of high-resolution pictures to measure PSNR on.")
    validate_every: Count = Field(description="Steps between measurements.")
    checkpoint_every: Count = Field(description="Steps between checkpoints.")


def read_recipe(path: Path, changes: dict[str, str] | None = None) -> Recipe:
    """Read a recipe and apply `key=value` changes, whose values are TOML.

    Raises:
        RecipeError: The file is missing or no TOML, or a key is unknown, missing or out of range; all of them are
        named.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        for key, text in (changes or {}).items():
            values[key] = _toml_value(text)
        return Recipe.model_validate(values)
    except OSError as error:
        raise RecipeError(f"no recipe at {path}", "recipes of the shipped networks are in recipes/") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: {error}", "a recipe is TOML: key = value, one a line") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path}: {wrong}", f"the keys are {', '.join(Recipe.model_fields)}") from error


def _toml_value(text: str) -> Any:
    """Read one TOML value; what is none is taken as a string, so that quotes can be left out in a shell."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
