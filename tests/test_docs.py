"""What README and docs say is what the program does."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from kakudai import Picture, list_models, write_image
from kakudai.cli.main import run
from kakudai.train.recipe import Recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_reference_is_current() -> None:
    result = subprocess.run([sys.executable, ROOT / "docs/make_reference.py", "--check"], check=False)
    assert result.returncode == 0, "run: python docs/make_reference.py"


def test_the_reference_has_every_key_of_a_recipe() -> None:
    page = (ROOT / "docs/reference/recipe.md").read_text()
    keys = set(re.findall(r"^\| `(\w+)` \| .+ \| .* \| .+\. \|$", page, re.MULTILINE))
    assert keys == set(Recipe.model_fields)
    assert "| `steps` | a whole number of 1 or more |  | Length of the run. |" in page
    assert "| `start` | a path | - |" in page
    assert '| `optimiser` | one of "adam", "sgd", "muon" | `"adam"` |' in page


def test_every_command_in_the_readme_is_one() -> None:
    """Each `kakudai ...` line of a shell block: its command is known and all its options are."""
    reference = (ROOT / "docs/reference/cli.md").read_text()
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("kakudai ")]
    assert len(lines) >= 5
    for line in lines:
        for option in re.findall(r"(?<= )--?[a-z][a-z-]*", line.split("#")[0]):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", reference), f"{option} in: {line}"


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.png").write_bytes((ROOT / "examples/chelsea.png").read_bytes())
    (source,) = blocks("python")
    exec(compile(source, "README.md", "exec"), {})
    assert (tmp_path / "large.png").exists()


def test_the_commands_about_many_pictures_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("holiday", "scans"):
        Path(folder).mkdir()
        write_image(Picture(np.zeros((8, 8, 3), np.uint8)), f"{folder}/a.jpg")
    page = (ROOT / "docs/guides/many-pictures.md").read_text()
    commands = [
        shlex.split(line, comments=True)[1:]
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(commands) >= 10
    for command in commands:
        if command[0] == "upscale":
            shutil.rmtree("large", ignore_errors=True)
        assert run([*command, *(["--once"] if command[0] == "watch" else [])]) == 0, command


def table_of_models() -> list[dict[str, str]]:
    """Return the rows of README's table, each by its columns."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if line.startswith("|")
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_table_of_models_has_the_figures_of_their_cards() -> None:
    rows = {row["model"]: row for row in table_of_models()}
    for model in list_models():
        row = rows[f"`{model.name}`"]
        for condition, figures in model.quality.items():
            assert row[condition.split()[0]] == f"{figures['psnr']:.2f}", model.name
        assert row["parameters"] == f"{model.parameters:,}"
        assert row["KB"] == f"{len(model.data) / 1024:.0f}"
        assert row["licence"] == model.card["licence"]


def test_the_table_of_models_has_measured_figures_of_others_too() -> None:
    """From what benchmarks/quality.py keeps. Of waifu2x's upconv_7 that for photographs stands under their sets."""
    results = json.loads((ROOT / "benchmarks/results/quality.json").read_text())
    measured = {key.split(" #")[0]: fmean(entry["psnr"]) for key, entry in results.items() if "psnr" in entry}
    seen = 0
    for row in table_of_models():
        if row["model"].startswith("`") or not re.match(r"\dx", row["does"]):
            continue
        for name in ("Set5", "Set14", "BSD100", "anime", "comic"):
            kind = "art" if name in ("anime", "comic") else "photo"
            method = f"{row['model']} {kind}" if "waifu2x" in row["model"] else row["model"]
            if row[name]:
                key = f"clean x{row['does'][0]} | {name} | bicubic | {method}"
                assert row[name] == f"{measured[key]:.2f}", key
                seen += 1
    assert seen > 20


def test_the_first_output_in_the_readme_is_what_the_program_says(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with Image.open(ROOT / "examples/chelsea.png") as picture:
        picture.convert("RGB").save("photo.jpg", quality=90, subsampling=2)
    assert run(["photo.jpg"]) == 0
    said, (block,) = capsys.readouterr().err, blocks("text")
    assert said.rsplit("  ", 1)[0] == block.rsplit("  ", 1)[0], "all but the seconds"


def test_files_that_are_linked_exist() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_demo_runs(tmp_path: Path) -> None:
    words = [sys.executable, ROOT / "examples/demo.py", tmp_path / "demo"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    figures = dict(re.findall(r"^(bicubic|kakudai) +([\d.]+) dB", result.stdout, re.MULTILINE))
    assert float(figures["kakudai"]) > float(figures["bicubic"]) + 1.0
    assert (tmp_path / "demo/side-by-side.png").exists()
