"""Chaos: what really happens to an installation, done to the real command, and what is left of its alerts.

`python -m tests.chaos` runs every test; each is a module with `ABOUT` and `run`. See `__main__.py`.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # `conftest`, `media_files`, `rtsp_server`: as pytest has them
