"""Write docs/reference/model-formats.md: which model files of other programs load.

python docs/make_formats.py
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.convert.formats import PAGE, page

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(Path(folder)))
    print(f"wrote {PAGE}")
