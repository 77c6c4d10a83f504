"""The house rules of DESIGN and STYLE: who may import whom, how large things may grow, what is exported."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, get_origin

import pytest

import kakudai
from kakudai.cli import options

ROOT = Path(kakudai.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

LEVELS = [
    {"errors"},
    {"image", "models", "networks"},
    {"convert", "degrade", "analyse", "metrics"},
    {"engine"},
    {"data"},
    {"train", "evaluate"},
    {"bench", "jobs", "video"},
    {"serve"},
    {"cli"},
]
"""Imports point from a later line to an earlier one, or stay inside one package."""

SIDEWAYS = {("networks", "errors")}
"""networks/ can be lifted out and used alone: it may not even import errors."""

TORCH_CONVERTERS = ("spandrel_file", "torch_color", "torch_export", "torch_file", "torch_layouts", "unpickle")
"""What reads PyTorch's files; nothing on the way of any other file imports these."""

HEAVY = (
    "fsspec",
    "onnx",
    "torch",
    "onnxruntime",
    "openvino",
    "pyvips",
    "PIL",
    "lightning_fabric",
    "matplotlib",
    "tensorboard",
)


def level(package: str) -> int:
    return next(number for number, names in enumerate(LEVELS) if package in names)


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names of all modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


def test_imports_point_downwards() -> None:
    wrong = []
    for path in FILES:
        package = package_of(path)
        if package in ("__init__", "__main__"):
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "kakudai" or len(parts) == 1 or parts[1] == package:
                continue
            if level(parts[1]) >= level(package) or (package, parts[1]) in SIDEWAYS:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_torch_is_imported_only_where_networks_are_made_or_trained() -> None:
    packages = {"networks", "train"}
    alone = "engine/runtimes/torch.py", "bench/torch_peer.py"
    files = {ROOT / name for name in (*alone, *(f"convert/{name}.py" for name in TORCH_CONVERTERS))}
    wrong = [
        str(path.relative_to(ROOT))
        for path in FILES
        if package_of(path) not in packages and path not in files
        for name in imports(path)
        if name.split(".")[0] == "torch"
    ]
    assert not wrong


@pytest.mark.parametrize("words", [["--help"], ["upscale", "--help"], ["models", "list"]])
def test_nothing_heavy_is_loaded_without_need(words: list[str]) -> None:
    code = (
        "import sys\nfrom kakudai.cli.main import main\n"
        f"sys.argv = ['kakudai', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1].split() == ["loaded:"]


def test_the_program_begins_without_numpy_and_tells_it_to_take_one_thread() -> None:
    """It is told in the environment, which is read once."""
    code = "import sys, kakudai.cli.main as program\nassert 'numpy' not in sys.modules\n"
    code += "import os, pytest\nsys.argv = ['kakudai', '--version']\n"
    code += "with pytest.raises(SystemExit): program.main()\nprint(os.environ['OPENBLAS_NUM_THREADS'])"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "1"


def test_finding_a_model_loads_nothing_heavy() -> None:
    code = (
        "import sys, kakudai\nkakudai.find_model('photo')\nkakudai.upscale, kakudai.Upscaler\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules and name != 'pyvips'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["loaded:"]


SHARED_OPTIONS = {name for name, value in vars(options).items() if get_origin(value) is Annotated}


def is_option(argument: ast.arg) -> bool:
    """Say whether an argument is an option of the command line, which Typer passes by name."""
    words = "" if argument.annotation is None else ast.unparse(argument.annotation)
    return words.startswith("Annotated[") or words in SHARED_OPTIONS


def test_files_and_functions_stay_readable() -> None:
    wrong = []
    for path in FILES:
        text = path.read_text()
        if text.count("\n") > 600:
            wrong.append(f"{path.relative_to(ROOT)} has {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                positional = [a.arg for a in node.args.args if a.arg not in ("self", "cls") and not is_option(a)]
                if lines > 100:
                    wrong.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
                if len(positional) > 5:
                    wrong.append(f"{path.relative_to(ROOT)}: {node.name} takes {len(positional)} positional arguments")
    assert not wrong


def test_exports_are_few_and_real() -> None:
    assert len(kakudai.__all__) <= 10
    assert list(kakudai.__all__) == sorted(kakudai.__all__)
    assert all(getattr(kakudai, name) is not None for name in kakudai.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = kakudai.no_such_name
