"""Write docs/reference/cli.md from the help texts of the program, and recipe.md from the keys of a recipe,
and http.md from the OpenAPI document of the server.

python docs/make_reference.py            # rewrites the pages
python docs/make_reference.py --check    # exits with 1 if a page is not what the program says today
"""

import os
import sys
from pathlib import Path

from http_reference import http_page
from typer.testing import CliRunner

from kakudai.cli.main import COMMANDS, GROUPS, build
from kakudai.train.recipe import Recipe
from kakudai.train.recipe_words import accepted, shown

FOLDER = Path(__file__).parent / "reference"

COMMAND_LINE = """# The command line

Written by `docs/make_reference.py` from the program's own help; do not edit. Results and data go to standard output,
progress and messages to standard error. Exit codes: 0 done, 1 some or all inputs failed, 2 wrong usage, 130
interrupted, 143 terminated (SIGTERM).
"""


RECIPE = """# The keys of a recipe

Written by `docs/make_reference.py` from `src/kakudai/train/recipe.py`; do not edit. A recipe is flat TOML: lines of
`key = value` in any order. Keys without a default must be there; where the default is `-`, nothing stands for the key.
Paths are relative to the folder the command is started in. A step is one update of the weights.

| key | accepts | default | meaning |
|---|---|---|---|
"""


def recipe_page() -> str:
    """Return the page about recipes as the program would have it now."""
    schema = Recipe.model_json_schema()
    text = RECIPE
    for key, entry in schema["properties"].items():
        default = "-" if entry.get("default") is None else f"`{shown(entry['default'])}`"
        cells = f"`{key}`", accepted(entry), "" if key in schema["required"] else default, entry["description"]
        text += f"| {' | '.join(cells)} |\n"
    return text


def command_line_page() -> str:
    """Return the page about the command line as the program would have it now."""
    os.environ.update(COLUMNS="100", TERMINAL_WIDTH="100", NO_COLOR="1")
    commands = [[name] for name in COMMANDS]
    for name, group in GROUPS.items():
        known = [entry.name or entry.callback.__name__ for entry in group.registered_commands if entry.callback]
        commands += [[name], *([name, word] for word in known)]
    text = COMMAND_LINE
    for words in [[], *commands]:
        result = CliRunner().invoke(build(), [*words, "--help"], prog_name="kakudai")
        if result.exit_code:
            raise SystemExit(f"kakudai {' '.join(words)} --help failed: {result.output}")
        text += f"\n## kakudai {' '.join(words)}".rstrip() + f"\n\n```\n{result.output.strip()}\n```\n"
    return "\n".join(line.rstrip() for line in text.split("\n"))


if __name__ == "__main__":
    pages = {
        FOLDER / "cli.md": command_line_page(),
        FOLDER / "recipe.md": recipe_page(),
        FOLDER / "http.md": http_page(),
    }
    if "--check" in sys.argv:
        sys.exit(any(not path.exists() or path.read_text() != text for path, text in pages.items()))
    for path, text in pages.items():
        path.write_text(text)
