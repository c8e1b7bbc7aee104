"""What the README shows works as it stands there."""

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from conftest import BUNDLED, RedisServer, wait_until
from reading import send

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["sync", "async"])
def test_a_reader_from_the_readme_prints_alerts(block: str, tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    numbers = count()

    def has_printed() -> bool:
        send(server, next(numbers))  # again and again: it gets what comes after it has subscribed
        return "gate update gun_shot 0.93" in said.read_text()

    with RedisServer(BUNDLED, tmp_path) as server, said.open("w") as out:
        code = block.replace("redis://localhost:6379", server.url)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        with subprocess.Popen([sys.executable, "-c", code], stdout=out, env=environment) as process:
            wait_until(has_printed)
            process.kill()
