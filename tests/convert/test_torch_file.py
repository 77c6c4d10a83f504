"""Weight files of PyTorch: every layout becomes the network that it was of."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from tests.convert.weight_files import compact, edsr_of_basicsr, edsr_original, esrgan, nunif_named, pickled
from tests.networks.building import in_rgb, tiny, with_random_weights
from torch import nn

from kakudai.convert import probe
from kakudai.convert.card import finish
from kakudai.convert.spandrel_file import _torchvision
from kakudai.convert.to_safetensors import export_safetensors
from kakudai.convert.torch_file import build, convert_torch
from kakudai.convert.torch_layouts import recognise
from kakudai.engine.loading import open_network
from kakudai.errors import ModelInvalid
from kakudai.networks.edsr import EDSR
from kakudai.networks.rrdb import RRDBNet
from kakudai.networks.srvgg import SRVGGNetCompact
from kakudai.networks.waifu2x import Waifu2x

pytestmark = pytest.mark.usefixtures("one_thread")


def run(network: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def same(network: nn.Module, tensors: dict[str, torch.Tensor], plain: dict[str, Any] | None = None) -> str:
    """Recognise weights, build the network, compare; return what it was taken for."""
    layout = recognise(tensors, plain or {}, "test")
    assert layout is not None
    found = build(layout, "test")
    x = probe.picture(12, 20)[None]
    np.testing.assert_allclose(run(found, x), run(network, x), atol=1e-5)
    assert (found.scale, found.halo, found.multiple) == (network.scale, network.halo, network.multiple)
    return layout.kind


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("group", ["", "params", "params_ema"])
def test_compact(scale: int, group: str) -> None:
    network = with_random_weights(SRVGGNetCompact(scale=scale, convolutions=2, channels=8))
    assert same(network, compact(network, group)) == "SRVGGNetCompact"


@pytest.mark.parametrize("naming", ["original", "bsrgan", "real"])
@pytest.mark.parametrize(("scale", "unshuffle"), [(4, 1), (2, 1), (1, 1), (8, 1), (2, 2), (1, 4)])
def test_esrgan_under_all_its_names(naming: str, scale: int, unshuffle: int) -> None:
    network = with_random_weights(RRDBNet(scale=scale, blocks=2, channels=8, growth=4, unshuffle=unshuffle))
    assert same(network, esrgan(network, naming)) == "RRDBNet"


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_edsr_in_the_range_that_it_was_trained_in(scale: int) -> None:
    """Its files are for pixels up to 255; biases are what tells."""
    network = with_random_weights(EDSR(scale=scale, blocks=2, channels=8))
    assert same(network, edsr_of_basicsr(network)) == "EDSR of BasicSR"
    if scale > 1:
        assert same(network, edsr_original(network)) == "EDSR of its authors"
        assert same(network, edsr_original(network, largest=1)) == "EDSR of its authors"


@pytest.mark.parametrize(
    ("variant", "scale", "more"),
    [("vgg_7", 1, {}), ("upconv_7", 2, {"last_bias": True}), ("cunet", 1, {"clip_between": True}), ("upcunet", 2, {})],
)
def test_nunifs_files_of_the_old_networks(variant: str, scale: int, more: dict[str, bool]) -> None:
    network = with_random_weights(Waifu2x(variant=variant, scale=scale, **more)).eval()
    plain = {"name": f"waifu2x.{variant}", "kwargs/in_channels": 3, "kwargs/no_clip": variant == "upcunet"}
    assert same(network, nunif_named(network), plain) == "nunif"


@pytest.mark.parametrize(
    ("name", "channels"), [("espcn", 1), ("fsrcnn", 1), ("ecbsr", 1), ("srresnet", 3), ("edsr", 3)]
)
def test_our_own_safetensors(name: str, channels: int) -> None:
    network = with_random_weights(tiny(name, scale=2, in_channels=channels))
    arguments = {**__import__(f"kakudai.networks.{name}", fromlist=["TINY"]).TINY}
    metadata = {"network": name, "arguments": json.dumps(arguments), "scale": "2"}
    converted = convert_torch(save(network.state_dict(), metadata), "own", open_network)
    assert converted.card["color"] == ("luma" if channels == 1 else "rgb")
    x = probe.picture(16, 24)[None]
    y = open_network(finish(converted))(x)
    np.testing.assert_allclose(y, run(in_rgb(network, channels), x), atol=1e-4 * max(1, y.std()))


def test_a_run_is_converted_from_its_checkpoint() -> None:
    network = with_random_weights(tiny("espcn", in_channels=1))
    arguments = __import__("kakudai.networks.espcn", fromlist=["TINY"]).TINY
    recipe = {
        "network": "espcn",
        "arguments": arguments,
        "scale": 2,
        "color": "luma",
        "licence": "CC0-1.0",
        "pack": "p",
    }
    state = {"recipe": recipe, "step": 7, "network": tiny("espcn").state_dict(), "average": network.state_dict()}
    converted = convert_torch(pickled(state), "last", open_network)
    assert (converted.card["licence"], converted.card["data"]) == ("CC0-1.0", "p; 7 steps")
    x = probe.picture(16, 24)[None]
    np.testing.assert_allclose(open_network(finish(converted))(x), run(in_rgb(network, 1), x), atol=1e-5)


def test_a_deep_networks_halo_is_what_it_really_sees() -> None:
    network = RRDBNet(scale=2, blocks=4, channels=8, growth=4)
    converted = convert_torch(save(esrgan(network, "real")), "deep", open_network)
    assert network.halo > 60
    assert converted.card["halo"] == "16"
    assert f"could see {network.halo} pixels far" in converted.card["notes"]


@pytest.mark.parametrize(("name", "channels"), [("espcn", 1), ("srvgg", 3), ("rrdb", 3), ("ecbsr", 1), ("waifu2x", 3)])
def test_safetensors_there_and_back(name: str, channels: int) -> None:
    """A file of ours becomes weights, and these the same file again; PReLU's slopes lose their names on the way."""
    network = with_random_weights(tiny(name, scale=2, in_channels=channels))
    arguments = {**__import__(f"kakudai.networks.{name}", fromlist=["TINY"]).TINY}
    given = save(network.state_dict(), {"network": name, "arguments": json.dumps(arguments), "scale": "2"})
    data = finish(convert_torch(given, "there", open_network))
    back = finish(convert_torch(export_safetensors(data, "there", open_network), "back", open_network))
    x = probe.picture(16, 24)[None]
    np.testing.assert_allclose(open_network(back)(x), open_network(data)(x), atol=1e-5)


def test_what_is_no_network_of_ours_cannot_become_our_weights() -> None:
    from tests.small_models import nearest

    with pytest.raises(ModelInvalid, match="'nearest', which kakudai does not have"):
        export_safetensors(nearest(), "nearest", open_network)


def changed(tensors: dict[str, torch.Tensor], **changes: Any) -> dict[str, torch.Tensor]:
    result = {**tensors, **changes}
    return {key: value for key, value in result.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body.4.bias": torch.zeros(5)}, "SRVGGNetCompact and does not fit: body.4.bias is 5 and not 8"),
        ({"body.4.bias": None}, "body.4.bias is missing"),
        ({"body.3.bias": torch.zeros(8)}, "body.3.bias has no place in it"),
        ({"body.0.weight": torch.zeros(8, 9, 3, 3)}, "takes 9 channels|of no network"),
    ],
)
def test_weights_that_do_not_fit_are_named(change: dict[str, Any], message: str) -> None:
    tensors = changed(SRVGGNetCompact(convolutions=2, channels=8).state_dict(), **change)
    with pytest.raises(ModelInvalid, match=message):
        convert_torch(save(tensors), "odd", open_network)


@pytest.mark.parametrize(
    "metadata",
    [
        {"network": "espcn", "arguments": "[", "scale": "2"},
        {"network": "espcn", "arguments": "[1]", "scale": "2"},
        {"network": "espcn", "arguments": "{}", "scale": "two"},
        {"network": "espcn", "arguments": '{"depth": 99999999}', "scale": "2"},
        {"network": "espcn", "arguments": '{"no": 1}', "scale": "2"},
        {"network": "../../etc", "arguments": "{}", "scale": "2"},
        {"network": "espcn", "arguments": "[" * 100_000, "scale": "2"},
    ],
)
def test_metadata_that_makes_no_sense_is_an_error_of_the_file(metadata: dict[str, str]) -> None:
    with pytest.raises(ModelInvalid):
        convert_torch(save({"a": torch.zeros(1)}, metadata), "odd", open_network)


@pytest.fixture(scope="module")
def spandrel() -> Any:
    pytest.importorskip("einops", reason="spandrel is not installed")
    with _torchvision():
        return pytest.importorskip("spandrel", reason="spandrel is not installed", exc_type=ImportError)


@pytest.mark.parametrize("kind", ["compact", "esrgan", "x2plus"])
def test_our_networks_are_spandrels(kind: str, spandrel: Any) -> None:
    """The same file, read by us and by the package that others use, gives the same pixels."""
    if kind == "compact":
        tensors = compact(with_random_weights(SRVGGNetCompact(scale=4, convolutions=3, channels=8)), "")
    else:
        arguments = {"scale": 4} if kind == "esrgan" else {"scale": 2, "unshuffle": 2}
        tensors = esrgan(with_random_weights(RRDBNet(blocks=2, channels=8, **arguments)), "real")
    theirs = spandrel.ModelLoader().load_from_state_dict(dict(tensors)).model.eval()
    assert same_pixels(build(recognise(tensors, {}, "test"), "test"), theirs)


def same_pixels(ours: nn.Module, theirs: nn.Module) -> bool:
    x = probe.picture(16, 20)[None]
    return float(np.abs(run(ours, x) - run(theirs, x)).max()) < 1e-5


def test_other_networks_go_through_spandrel(spandrel: Any) -> None:
    module = __import__("spandrel.architectures.SPAN", fromlist=["SPAN"])
    torch.manual_seed(0)
    network = module.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2).eval()
    converted = convert_torch(save(network.state_dict()), "span", open_network)
    assert (converted.card["network"], converted.card["scale"]) == ("span", "2")
    x = probe.picture(20, 28)[None]
    np.testing.assert_allclose(open_network(finish(converted))(x), run(network, x), atol=1e-4)


def test_networks_that_nobody_knows_are_named() -> None:
    with pytest.raises(ModelInvalid, match=r"of no network that kakudai .*first weight: 'a\.weight'"):
        convert_torch(save({"a.weight": torch.zeros(3, 3)}), "odd", open_network)
