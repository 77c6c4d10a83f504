"""The networks of the literature, one file per paper.

A file knows nothing of the rest of kakudai and can be lifted out and used alone. Its `__all__` holds one `nn.Module`
whose keyword arguments are plain values; the class or instance states `scale`, `multiple` and `halo`, and `TINY`
holds the arguments of a small one for tests. `find_network` imports a file by its name, so adding a network is
adding a file.
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
