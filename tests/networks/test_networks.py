"""Every file in networks/ keeps the contract of DESIGN. The networks are found, not listed."""

import contextlib
import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.networks.building import (
    build,
    export,
    in_rgb,
    inputs_reached,
    run_in_tiles,
    tiny,
    with_positive_weights,
    with_random_weights,
)
from torch import nn

from kakudai.networks import find_network, network_names

NAMES = network_names()
SCALED = [(name, scale) for name in NAMES for scale in find_network(name).SCALES]
VARIANTS = [(name, variant) for name in NAMES for variant in find_network(name).VARIANTS]


def sizes(multiple: int) -> list[tuple[int, int]]:
    return [(multiple, multiple), (5 * multiple, 3 * multiple)]


def test_there_are_the_networks_of_the_literature_and_an_unknown_one_is_named() -> None:
    wanted = "cnn_deep cnn_medium cnn_small ecbsr edsr espcn fsrcnn srcnn srresnet vdsr waifu2x"
    assert set(wanted.split()) <= set(NAMES)
    with pytest.raises(KeyError, match="ecbsr"):
        find_network("no_such_network")


def test_files_that_begin_with_an_underscore_are_no_networks() -> None:
    assert not [name for name in NAMES if name.startswith("_")]
    with pytest.raises(KeyError):
        find_network("_enlarge")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_exports_one_module_made_from_plain_values(name: str) -> None:
    module = find_network(name)
    assert len(module.__all__) == 1
    network = getattr(module, module.__all__[0])
    assert issubclass(network, nn.Module)
    defaults = {}
    for parameter in inspect.signature(network).parameters.values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is None or isinstance(parameter.default, int | float | bool | str)
        assert f"        {parameter.name}: " in inspect.getdoc(network).replace("    ", "        "), parameter.name
        defaults[parameter.name] = parameter.default
    assert json.loads(json.dumps(defaults)) == defaults
    assert {"scale", "in_channels"} <= set(defaults)
    assert set(module.TINY) <= set(defaults)
    assert "Paper:" in module.__doc__
    assert "https://" in module.__doc__
    assert "differs from the" in module.__doc__
    assert "Shape:" in network.__doc__
    assert list(module.SCALES) == sorted(module.SCALES)
    assert defaults["scale"] in module.SCALES


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_variants_are_arguments_of_a_scale_that_exists(name: str, variant: str) -> None:
    module = find_network(name)
    arguments = module.VARIANTS[variant]
    assert json.loads(json.dumps(arguments)) == arguments
    assert set(arguments) <= set(inspect.signature(getattr(module, module.__all__[0])).parameters)
    assert arguments.get("scale", 2) in module.SCALES
    if arguments.get("channels", 0) < 256:  # the widest take seconds to fill with random numbers
        assert build(name, **arguments).scale == arguments.get("scale", 2)


@pytest.mark.parametrize(("name", "scale"), SCALED)
@pytest.mark.parametrize("channels", [1, 3])
def test_output_is_input_enlarged(name: str, scale: int, channels: int) -> None:
    network = tiny(name, scale=scale, in_channels=channels)
    assert network.scale == scale
    for height, width in sizes(network.multiple):
        with torch.inference_mode():
            y = network(torch.rand(2, channels, height, width))
        assert y.shape == (2, channels, scale * height, scale * width)
        assert y.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [3, 4, 5])
def test_a_scale_that_does_not_exist_is_refused(name: str, scale: int) -> None:
    """Networks that can do any scale may; the others say so when they are built."""
    if scale in find_network(name).SCALES:
        return
    with contextlib.suppress(ValueError):
        network = tiny(name, scale=scale)
        with torch.inference_mode():
            assert network(torch.rand(1, _channels(network), 8, 8)).shape[2:] == (8 * scale, 8 * scale)


def _channels(network: nn.Module) -> int:
    return next(parameter for parameter in network.parameters() if parameter.dim() == 4).shape[1]


@pytest.mark.parametrize(("name", "scale"), SCALED)
def test_the_halo_is_measured_not_trusted(name: str, scale: int) -> None:
    _check_halo(with_positive_weights(tiny(name, scale=scale)))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_the_halo_of_each_variant_is_measured(name: str, variant: str) -> None:
    """Width decides nothing, so networks that have a width are made narrow."""
    module = find_network(name)
    arguments = dict(module.VARIANTS[variant])
    narrow = {"channels": 4, "growth": 2}
    known = inspect.signature(getattr(module, module.__all__[0])).parameters
    arguments.update({key: value for key, value in narrow.items() if key in known})
    _check_halo(with_positive_weights(build(name, **arguments)))


def _check_halo(network: nn.Module) -> None:
    """One backward pass: what lies further away than `halo` has no gradient, and `halo` is not far beyond what has."""
    channels = _channels(network) // network.multiple**2 or 1
    if network.halo is None:
        assert inputs_reached(network, _channels(network), 96, 96).all()
        return
    side = math.ceil((2 * network.halo + 7) / network.multiple) * network.multiple
    deep = network.halo > 80  # a strip is enough, and what hundreds of layers leave over is too small for float32
    height = 8 * network.multiple if deep else side
    reached = inputs_reached(network.double() if deep else network, channels, height, side)
    rows, columns = np.nonzero(reached)
    reach = max(np.abs(rows - height // 2).max(), np.abs(columns - side // 2).max())
    assert reach <= network.halo <= max(reach + 1, 1.5 * reach)


@pytest.mark.parametrize(("name", "scale"), SCALED)
def test_tiles_leave_no_trace(name: str, scale: int) -> None:
    network = with_random_weights(tiny(name, scale=scale))
    if network.halo is None:
        return
    image = np.random.default_rng(0).random((11, 9, 3), np.float32)
    wrapped = in_rgb(network, _channels(network))
    whole = run_in_tiles(wrapped, image, 16)
    contrast = whole.std()
    assert contrast > 0.1
    np.testing.assert_allclose(run_in_tiles(wrapped, image, 8), whole, atol=1e-5 * max(1, contrast))


@pytest.mark.parametrize(("name", "scale"), SCALED)
def test_gradients_reach_every_parameter(name: str, scale: int) -> None:
    network = with_random_weights(tiny(name, scale=scale))
    network(torch.rand(2, _channels(network), 12, 12)).square().mean().backward()
    missing = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_a_network_learns_from_its_own_first_weights(name: str) -> None:
    network = tiny(name).train()
    x = torch.rand(2, _channels(network), 8, 8)
    target = nn.functional.interpolate(x, scale_factor=network.scale, mode="bilinear")
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = (network(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert math.isfinite(losses[0])
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("name", "scale"), SCALED)
def test_the_onnx_file_is_the_same_network(name: str, scale: int, tmp_path: Path) -> None:
    channels = 1 if scale == 2 else 3
    network = with_random_weights(tiny(name, scale=scale, in_channels=channels))
    session = export(network, channels, tmp_path)
    x = np.random.default_rng(0).random((2, 3, 12, 20), np.float32)
    with torch.inference_mode():
        expected = in_rgb(network, channels)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-5 * max(1, expected.std()))
