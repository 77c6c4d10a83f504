"""`load_model`: whatever the user names becomes a model; conversions are kept, and nothing else is."""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.convert.foreign_networks import Foreign, with_custom_operator
from tests.small_models import nearest

import kakudai
from kakudai.engine import loading
from kakudai.engine.loading import import_model, load_model
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import ModelInvalid, ModelNotFound, OutputExists, RuntimeUnavailable, UsageError
from kakudai.models import find_model, store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def foreign(tmp_path: Path, home: Path) -> Path:
    path = tmp_path / "theirs.onnx"
    path.write_bytes(Foreign(given="0..255").data())
    return path


def no_conversion(*_: object, **__: object) -> bytes:
    pytest.fail("it was converted again")


def test_names_and_own_files_are_found_as_before(tmp_path: Path, home: Path) -> None:
    assert load_model("photo").data == find_model("photo-x2").data
    (tmp_path / "own.onnx").write_bytes(nearest())
    assert load_model(tmp_path / "own.onnx").name == "test"
    assert not home.exists()
    for name in ("phto", tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelNotFound):
            load_model(name)


def test_a_foreign_file_is_converted_once_and_told(foreign: Path, monkeypatch, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        first = load_model(foreign)
    assert "theirs.onnx: onnx, 2x, halo 2, rgb; it takes 'image' float32 NCHW RGB 0..255" in caplog.text
    assert first.name == kakudai.find_model(foreign).name == "theirs"
    assert first.card["source"].startswith("theirs.onnx sha256:")
    caplog.clear()
    monkeypatch.setattr("kakudai.convert.convert_source", no_conversion)
    assert load_model(foreign).data == first.data
    renamed = foreign.rename(foreign.with_name("other.onnx"))
    assert load_model(renamed).name == "other"
    assert not caplog.text


def test_a_damaged_conversion_is_made_again(foreign: Path, home: Path) -> None:
    first = load_model(foreign)
    (path,) = (home / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    assert load_model(foreign).data == first.data
    (path,) = (home / "cache").iterdir()
    assert path.read_bytes()[32:] == first.data


def test_a_conversion_that_is_no_model_is_made_again(foreign: Path, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(loading.store, "cached", lambda key: b"not a model")
    assert load_model(foreign).scale == 2


def test_another_converter_does_not_take_the_old_ones_work(foreign: Path, home: Path, monkeypatch) -> None:
    load_model(foreign)
    monkeypatch.setattr("kakudai.convert.generation", lambda: "newer")
    load_model(foreign)
    assert len(list((home / "cache").iterdir())) == 2


def test_what_the_name_promises_is_part_of_the_conversion(tmp_path: Path, home: Path) -> None:
    """vgg_7's file does not say whether it enlarges: "noise1" and "scale2.0x" are the same bytes otherwise."""
    layer = {"nInputPlane": 3, "nOutputPlane": 3, "kW": 3, "kH": 3, "weight": np.ones((3, 3, 3, 3)).tolist()}
    content = json.dumps([layer, layer])
    scales = {"noise1_model": 1, "scale2.0x_model": 2, "scale4.0x_model": 4}
    for name in scales:
        (tmp_path / f"{name}.json").write_text(content)
    assert {name: load_model(tmp_path / f"{name}.json").scale for name in scales} == scales


def test_a_conversion_that_does_not_run_is_not_kept(foreign: Path, home: Path, monkeypatch) -> None:
    def refuse(data: bytes) -> None:
        raise ModelInvalid("ONNX Runtime refuses the network", "export it again")

    data = load_model(foreign).data
    (entry,) = (home / "cache").iterdir()
    entry.unlink()
    monkeypatch.setattr("kakudai.convert.convert_source", lambda source, open_network: data)
    monkeypatch.setattr(loading, "open_network", refuse)
    with pytest.raises(ModelInvalid, match="refuses"):
        load_model(foreign)
    assert not list((home / "cache").iterdir())


def test_upscaler_takes_it(foreign: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    with Upscaler(2, model=foreign, runtime="onnxruntime") as upscaler:
        large = upscaler.upscale(image)
    assert large.shape == (40, 60, 3)
    assert np.abs(large[::2, ::2].astype(int) - image).mean() < 20


def test_importing_keeps_a_model_under_a_name(foreign: Path, home: Path) -> None:
    model = import_model(foreign, licence="CC0-1.0")
    assert (model.name, model.card["licence"]) == ("theirs", "CC0-1.0")
    foreign.unlink()
    assert load_model("theirs").data == find_model("theirs").data == model.data
    with pytest.raises(ModelNotFound, match="there is no model, file or folder 'thiers'") as caught:
        load_model("thiers")
    assert "did you mean 'theirs'" in caught.value.hint


def test_names_with_dots_are_names_where_there_is_no_such_file(foreign: Path, home: Path, monkeypatch) -> None:
    import_model(foreign, name="theirs-1.5")
    assert load_model("theirs-1.5").name == "theirs-1.5"
    monkeypatch.chdir(foreign.parent)
    Path("theirs-1.5").write_bytes(nearest())
    assert load_model("theirs-1.5").name == "test"


def test_what_cannot_be_imported(foreign: Path, tmp_path: Path, home: Path) -> None:
    with pytest.raises(UsageError, match="means what is shipped"):
        import_model(foreign, name="photo")
    with pytest.raises(UsageError, match="is no name for a model"):
        import_model(foreign, name="../up")
    (tmp_path / "bad.onnx").write_bytes(with_custom_operator())
    with pytest.raises(ModelInvalid):
        import_model(tmp_path / "bad.onnx")
    assert store.imported_names() == []
    import_model(foreign)
    with pytest.raises(OutputExists):
        import_model(foreign)
    import_model(foreign, replace_old=True)


def test_our_own_file_is_imported_as_it_is(tmp_path: Path, home: Path) -> None:
    (tmp_path / "test.onnx").write_bytes(nearest())
    assert import_model(tmp_path / "test.onnx").data == nearest()
    assert import_model(tmp_path / "test.onnx", name="renamed").card["name"] == "renamed"


def test_without_the_extra_it_says_what_to_install(foreign: Path, monkeypatch) -> None:
    monkeypatch.setattr("kakudai.convert.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable) as caught:
        load_model(foreign)
    assert caught.value.hint == "pip install 'kakudai[convert]'"


@pytest.mark.parametrize("name", ["theirs.pth", "theirs.safetensors"])
def test_without_torch_it_says_what_to_install(name: str, tmp_path: Path, home: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "kakudai.convert.torch_file", raising=False)
    (tmp_path / name).write_bytes(b"whatever")
    with pytest.raises(RuntimeUnavailable, match="torch is not installed") as caught:
        load_model(tmp_path / name)
    assert "pip install torch" in caught.value.hint


def test_a_folder_is_no_model_file(tmp_path: Path, home: Path, monkeypatch) -> None:
    """Those of waifu2x are for `Upscaler`, which chooses among the networks in them."""
    monkeypatch.chdir(tmp_path)
    Path("models-cunet").mkdir()
    for take in (load_model, import_model):
        with pytest.raises(ModelNotFound, match="models-cunet is a folder, and no model file") as caught:
            take(Path("models-cunet"))
        assert "name one of the model files" in caught.value.hint
    with pytest.raises(ModelNotFound, match="is a folder"):
        load_model("models-cunet")


@pytest.mark.real
def test_an_ncnn_model_keeps_its_files_for_the_native_runtime(shared: Path, home: Path) -> None:
    file = shared / "models/realesr-ncnn/realesr-animevideov3-x2.param"
    model = import_model(file, name="anime")
    assert model.native == (file.read_bytes(), file.with_suffix(".bin").read_bytes())
    assert load_model(file).native == model.native
