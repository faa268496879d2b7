"""The fuzz tests share their parts with the commands beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
