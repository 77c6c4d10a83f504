"""The networks of the literature, one file per paper.

A file knows nothing of the rest of kakudai. Its `__all__` holds one `nn.Module` whose keyword arguments are plain
values, `scale` and `in_channels` always among them. The instance states `scale`, `multiple` (sizes divide by it),
`halo` (input pixels that its output depends on, on each side; None for all) and, where it begins by enlarging the
picture with a fixed filter, `enlarges` ("bicubic" or "nearest"). Beside it stand `TINY`, the arguments of a small one
for tests, `VARIANTS`, what the literature calls it -> its arguments, and `SCALES`, the factors it can be built for.

`find_network` imports a file by its name, so adding a network is adding a file. Files that begin with an underscore are
parts that several networks share.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType


def network_names() -> list[str]:
    """Return the names of all networks: the names of the files beside this one."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def find_network(name: str) -> ModuleType:
    """Import the file of one network.

    Raises:
        KeyError: No file has that name.
    """
    if name not in network_names():
        raise KeyError(f"no network is called {name!r}; there are {', '.join(network_names())}")
    return import_module(f"{__name__}.{name}")
