"""A module that is run as `python -m` runs it, in a process that says at its end how much memory it took.

    python -m kakudai.bench.alone MODULE WORD...

The last line of its output is the most that the process ever held, in bytes, or "None" where the system does not say.
"""

import runpy
import sys

from kakudai.evaluate.cost import peak_memory


def main(words: list[str]) -> None:
    """Run a module with some words; its exit code is ours."""
    sys.argv = words
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.write(f"\n{peak_memory()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
