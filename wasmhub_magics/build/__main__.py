"""``python -m wasmhub_magics.build FOLDER``: do the build that lies in a folder."""

import sys
from pathlib import Path

from .job import main

sys.exit(main(Path(sys.argv[1])))
