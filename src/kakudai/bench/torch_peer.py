"""torch as a peer: the only file here that imports it."""

from collections.abc import Callable
from typing import Any

import torch

from kakudai.convert.torch_color import LumaInRGB
from kakudai.engine.passes import to_pixels, to_planes
from kakudai.image.picture import Pixels
from kakudai.networks import find_network


def open_torch(
    name: str, arguments: dict[str, Any], threads: int, *, luma: bool, channels_last: bool
) -> Callable[[Pixels], Pixels]:
    """Build a network with random weights, and return what enlarges a whole picture with it.

    Args:
        name: Of its file in `networks/`.
        arguments: Of its class.
        threads: Processor threads.
        luma: It looks at luma alone.
        channels_last: Keep the channels of a pixel side by side in memory.
    """
    module = find_network(name)
    network = getattr(module, module.__all__[0])(in_channels=1 if luma else 3, **arguments)
    network = (LumaInRGB(network) if luma else network).eval()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]

    def enlarge(image: Pixels) -> Pixels:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                y = network(torch.from_numpy(to_planes(image)).to(memory_format=layout))
        finally:
            torch.set_num_threads(before)
        return to_pixels(y[0].contiguous().numpy(), image.dtype)

    return enlarge
