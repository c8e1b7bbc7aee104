"""What docs/integrations.md shows works as it stands there."""

import base64
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import BUNDLED, RedisServer, make_alert, wait_until
from reading import send
from redis_servers import free_port

from alerts import keys
from alerts.errors import DeliveryError
from alerts.targets import Endpoint, signing_key
from alerts.webhook import Webhook
from pipeline.config import parse_config

PAGE = (Path(__file__).parent.parent / "docs" / "integrations.md").read_text(encoding="utf-8")
INTERPRETERS = {"python": sys.executable, "js": shutil.which("node"), "sh": shutil.which("sh")}
KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def block(language: str) -> str:
    """The one example in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@contextmanager
def running(language: str, code: str, folder: Path) -> Iterator[Path]:
    """The example as a program; gives what it has printed so far."""
    program = INTERPRETERS[language]
    if program is None:
        pytest.skip(f"no interpreter of {language}")
    path, said = folder / f"example.{language}", folder / "said.txt"
    path.write_text(code)
    tools = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (
        said.open("w") as out,
        subprocess.Popen([program, path], stdout=out, env=tools, cwd=folder, start_new_session=True) as process,
    ):
        try:
            yield said
        finally:
            os.killpg(process.pid, 9)


def webhook(port: int, key: str) -> Webhook:
    endpoint = Endpoint("desk", f"http://127.0.0.1:{port}/", signing_key(f"whsec_{key}"), allow_private=True)
    return Webhook(endpoint, threading.Event(), pauses=[0.1] * 200)


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_receiver_takes_what_is_signed_and_nothing_else(language: str, tmp_path: Path) -> None:
    port = free_port()
    with running(language, block(language).replace("8080", str(port)), tmp_path) as said:
        assert webhook(port, KEY).send(make_alert(text="caf\N{LATIN SMALL LETTER E WITH ACUTE} </script>"))
        wait_until(lambda: said.read_text() == "gate begin gun_shot 0.93\n")
        with pytest.raises(DeliveryError, match="answered 401"):
            webhook(port, base64.b64encode(bytes(24)).decode()).send(make_alert(1))
        assert said.read_text() == "gate begin gun_shot 0.93\n"


def test_the_loop_of_a_shell_keeps_what_began(tmp_path: Path) -> None:
    kept = tmp_path / "begun.jsonl"
    with RedisServer(BUNDLED, tmp_path) as server:
        code = block("sh").replace("--json", f"--json --redis {server.url}")
        with running("sh", code, tmp_path):
            wait_until(lambda: server.client.exists(keys.STREAM))
            send(server, 1, 0, 2)
            wait_until(kept.exists)
            wait_until(lambda: kept.read_text() == make_alert(0).to_json() + "\n")


def test_the_configuration_is_right() -> None:
    config = parse_config(tomllib.loads(block("toml")), Path("heed.toml"))
    assert config.webhook[0].name == "desk"
    assert config.mqtt.url is not None
    assert config.webhook[0].secret is not None
    assert config.webhook[0].secret.get_secret_value() == f"whsec_{KEY}"
