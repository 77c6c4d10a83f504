"""Write docs/reference/cli.md from the help texts of the program.

python docs/make_reference.py            # rewrites the page
python docs/make_reference.py --check    # exits with 1 if the page is not what the program says today
"""

import os
import sys
from pathlib import Path

from typer.testing import CliRunner

from kakudai.cli.main import COMMANDS, GROUPS, build

PAGE = Path(__file__).parent / "reference/cli.md"

HEAD = """# The command line

Written by `docs/make_reference.py` from the program's own help; do not edit. Results and data go to standard output,
progress and messages to standard error. Exit codes: 0 done, 1 some or all inputs failed, 2 wrong usage, 130
interrupted.
"""


def page() -> str:
    """Return the page as the program would have it now."""
    os.environ.update(COLUMNS="100", TERMINAL_WIDTH="100", NO_COLOR="1")
    commands = [[name] for name in COMMANDS]
    for name, group in GROUPS.items():
        known = [entry.name or entry.callback.__name__ for entry in group.registered_commands if entry.callback]
        commands += [[name], *([name, word] for word in known)]
    text = HEAD
    for words in [[], *commands]:
        result = CliRunner().invoke(build(), [*words, "--help"], prog_name="kakudai")
        if result.exit_code:
            raise SystemExit(f"kakudai {' '.join(words)} --help failed: {result.output}")
        text += f"\n## kakudai {' '.join(words)}".rstrip() + f"\n\n```\n{result.output.strip()}\n```\n"
    return "\n".join(line.rstrip() for line in text.split("\n"))


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != page())
    PAGE.write_text(page())
