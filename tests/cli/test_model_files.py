"""`kakudai models import`, `export`, `remove`, and what `list` says of imported ones."""

import json
import re
from pathlib import Path

import onnx
import pytest
from tests.convert.foreign_networks import Foreign
from tests.small_models import CARD, nearest

from kakudai.cli.main import run
from kakudai.models import find_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.onnx").write_bytes(Foreign().data())
    return tmp_path


def test_import_list_show_remove(folder: Path, capsys) -> None:
    assert run(["models", "import", "theirs.onnx", "--name", "mine", "--licence", "MIT"]) == 0
    assert "mine: onnx, 2x, halo 2" in capsys.readouterr().out
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["mine"]["imported"], rows["mine"]["licence"], rows["photo-x2"]["imported"]) == (True, "MIT", False)
    assert run(["models"]) == 0
    assert "mine" in capsys.readouterr().out
    assert run(["models", "show", "mine"]) == 0
    assert "it takes 'image' float32 NCHW RGB 0..1" in capsys.readouterr().out
    assert run(["models", "import", "theirs.onnx", "--name", "mine"]) == 1
    assert "there is an imported model mine already" in capsys.readouterr().err
    assert run(["models", "import", "theirs.onnx", "--name", "mine", "--replace", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["licence"] == "unknown"
    assert run(["models", "remove", "mine"]) == 0
    assert run(["models", "remove", "mine"]) == 2
    assert "imported are: none" in capsys.readouterr().err


def columns(capsys) -> dict[str, dict[str, str]]:
    """Return the printed table: name -> heading -> cell."""
    capsys.readouterr()
    assert run(["models", "list"]) == 0
    headings, _, *rows = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    names = re.split(r"\s{2,}", headings.strip())
    cells = [re.split(r"\s{2,}", row.strip()) for row in rows]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cells}


def test_list_has_the_sets_of_the_cards_and_what_was_damaged(folder: Path, capsys) -> None:
    found = columns(capsys)
    assert [name for name in found["art-x2"] if name.endswith("dB")] == [
        f"{name} dB" for name in ("Set5", "Set14", "BSD100", "anime", "comic")
    ]
    assert found["art-x2"]["Set5 dB"] == "-"
    assert float(found["art-x2"]["anime dB"]) > 30
    assert float(found["photo-x2"]["Set5 dB"]) > 30
    assert found["photo-x2"]["anime dB"] == "-"
    assert found["photo-x2"]["measured on"] == "clean"
    assert found["photo-restore-x1"]["measured on"] == "JPEG quality 40, 4:2:0"
    assert run(["models", "import", "theirs.onnx"]) == 0
    assert columns(capsys)["theirs"]["measured on"] == "-"


@pytest.mark.usefixtures("folder")
def test_a_card_whose_figures_make_no_sense_does_not_stop_the_list(capsys) -> None:
    Path("odd.onnx").write_bytes(nearest(quality=json.dumps({"Set5 x2": {"psnr": "much"}, "Own x3": {}, "Own": {}})))
    assert run(["models", "import", "odd.onnx"]) == 0
    found = columns(capsys)["odd"]
    assert (found["Set5 dB"], found["measured on"]) == ("?", "?")
    assert not any(name.startswith("Own") for name in found)


def test_list_goes_on_where_an_imported_model_is_broken(folder: Path, capsys) -> None:
    assert run(["models", "import", "theirs.onnx"]) == 0
    (folder / "home/models/theirs/model.onnx").write_bytes(b"broken")
    assert run(["models", "list"]) == 0
    output = capsys.readouterr()
    assert "photo-x2" in output.out
    assert "warning: the imported model theirs is not an ONNX network" in output.err


def test_a_card_cannot_write_on_the_terminal(folder: Path, capsys) -> None:
    assert run(["models", "import", "theirs.onnx", "--licence", "\x1b[2Jgone"]) == 0
    assert run(["models", "list"]) == 0
    assert run(["models", "show", "theirs"]) == 0
    assert "\x1b[2J" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("onnx", ["photo-x2.onnx"]),
        ("ncnn", ["photo-x2.param", "photo-x2.bin"]),
        ("safetensors", ["photo-x2.safetensors"]),
    ],
)
def test_export_writes_files_that_import_takes(kind: str, files: list[str], folder: Path, capsys) -> None:
    assert run(["models", "export", "photo-x2", "--to", kind]) == 0
    assert capsys.readouterr().out.split() == files
    assert run(["models", "export", "photo-x2", "--to", kind]) == 1
    assert f"there is a file {files[0]} already" in capsys.readouterr().err
    assert run(["models", "export", "photo-x2", "--to", kind, "--overwrite"]) == 0
    assert run(["models", "import", files[0], "--name", "back"]) == 0
    model = find_model("back")
    assert model.scale == 2
    assert model.parameters >= 47_716  # ncnn has no place to say which filters are fixed


@pytest.mark.usefixtures("folder")
def test_a_network_that_is_told_a_strength_is_not_for_programs_that_cannot(capsys) -> None:
    assert run(["models", "export", "photo-restore-x2", "--to", "ncnn", "-o", "x.param"]) == 2
    assert "is told a strength" in capsys.readouterr().err
    assert run(["models", "export", "photo-restore-x2", "--to", "safetensors"]) == 0
    assert run(["models", "import", "photo-restore-x2.safetensors", "--name", "back"]) == 0
    assert find_model("back").takes_strength


def test_export_writes_where_it_was_told(folder: Path, capsys) -> None:
    """Neither over its own second file, nor where a model's name leads."""
    assert run(["models", "export", "photo-x2", "--to", "ncnn", "-o", "x.bin"]) == 2
    assert "x.bin would be both files" in capsys.readouterr().err
    (folder / "evil.onnx").write_bytes(nearest(name="../evil"))
    assert run(["models", "export", "evil.onnx", "-o", "copy.onnx"]) == 0
    assert run(["models", "export", "evil.onnx", "--overwrite"]) == 0
    assert capsys.readouterr().out.split() == ["copy.onnx", "evil.onnx"]


def test_export_makes_the_folders_of_its_file(folder: Path, capsys) -> None:
    assert run(["models", "export", "photo-x2", "-o", "runs/photo-x2/photo-x2.onnx"]) == 0
    assert (folder / "runs/photo-x2/photo-x2.onnx").is_file()
    (folder / "taken").write_text("")
    assert run(["models", "export", "photo-x2", "-o", "taken/below/x.onnx"]) == 1
    assert "taken/below cannot be made" in capsys.readouterr().err


def test_a_file_that_says_little_is_listed_all_the_same(folder: Path, capsys) -> None:
    card = {key: CARD[key] for key in ("name", "scale", "halo", "multiple", "color", "parameters", "quality")}
    model = onnx.load_from_string(nearest())
    onnx.helper.set_model_props(model, {f"kakudai.{key}": value for key, value in card.items()})
    (folder / "little.onnx").write_bytes(model.SerializeToString())
    assert run(["models", "import", "little.onnx"]) == 0
    assert "little: unknown network, 2x, halo 0" in capsys.readouterr().out
    assert run(["models", "list", "--json"]) == 0
    assert [row["licence"] for row in json.loads(capsys.readouterr().out) if row["name"] == "little"] == [None]


def test_export_refuses_what_it_cannot_write(folder: Path, capsys) -> None:
    assert run(["models", "export", "photo-x2", "--to", "caffe"]) == 2
    assert run(["models", "export", "photo-x2", "--to", "waifu2x-json"]) == 2
    assert run(["models", "export", "nothing"]) == 2
    errors = capsys.readouterr().err
    assert "accepted are onnx, waifu2x-json, ncnn, safetensors" in errors
    assert "unexpected" not in errors
    assert not list(folder.glob("*.json"))
