"""`heed doctor` on this machine: real decoders, a real Redis, bundles that are not there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest
from conftest import BUNDLED, RedisServer
from typer.testing import CliRunner

from export.bundle import open_bundle
from pipeline.cli import app
from pipeline.doctor import DECODERS, examine, lines

WITHOUT_TORCH = """
import sys
from pathlib import Path
from pipeline.doctor import examine
examine(None, "redis://localhost:1", Path(sys.argv[1]))
print(sorted({"torch", "torchvision", "torchaudio", "transformers", "librosa"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def unhealthy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A machine without a bundle, and with the embedded Redis."""
    state = tmp_path_factory.mktemp("state")
    return examine(state / "nothing", None, state)


def test_a_missing_bundle_is_named_and_makes_it_unhealthy(unhealthy: dict[str, Any]) -> None:
    assert not unhealthy["healthy"]
    (problem,) = unhealthy["problems"]
    assert problem.startswith("bundle: ")
    assert "nothing: No such file or directory; name a folder that `heed export` wrote" in problem
    assert unhealthy["bundle"]["sha256"] is None
    assert {provider["runs"] for provider in unhealthy["providers"]["found"].values()} == {None}


def test_the_embedded_redis_is_started_and_asked(unhealthy: dict[str, Any]) -> None:
    said = subprocess.run([BUNDLED, "--version"], capture_output=True, text=True, check=True).stdout
    found = unhealthy["redis"]
    assert f"v={found['version']} " in said
    assert found["embedded"]
    assert found["reachable"]
    assert found["place"].endswith("/redis/redis.sock")


def test_what_cameras_send_can_be_decoded(unhealthy: dict[str, Any]) -> None:
    assert unhealthy["decoders"]["found"] == dict.fromkeys(DECODERS, True)
    assert set(DECODERS) <= av.codecs_available
    assert unhealthy["protocols"]["found"] == {"rtsp": True, "hls": True, "https": True}


def test_a_whole_bundle_and_a_redis_are_healthy(tiny_bundle: Path, tmp_path: Path) -> None:
    report = examine(tiny_bundle, None, tmp_path)
    assert report["problems"] == []
    assert report["healthy"]
    assert report["bundle"]["sha256"] == open_bundle(tiny_bundle).sha256
    assert report["providers"]["found"]["cpu"] == {"installed": True, "runs": True}
    assert report["providers"]["found"][report["bundle"]["provider"]]["runs"]
    assert list(lines(report))[-1] == "Healthy."


def test_the_report_is_json(unhealthy: dict[str, Any]) -> None:
    assert json.loads(json.dumps(unhealthy)) == unhealthy


def test_people_read_a_table_of_80_columns(unhealthy: dict[str, Any]) -> None:
    told = list(lines(unhealthy))
    assert told[-1] == "1 problem."
    assert {line[0] for line in told[:-2]} == {"✓", "✗", "–", " "}
    assert [line.split()[1] for line in told if line.startswith("✗")] == ["bundle"]
    too_long = [line for line in told if len(line) > 80]
    assert all(len(line.split()) == 1 for line in too_long)  # a path, which is not cut


def test_a_named_redis_is_told_without_its_password(tmp_path: Path) -> None:
    with RedisServer(BUNDLED, tmp_path, "--requirepass", "s3cret") as server:
        report = examine(tmp_path / "nothing", server.url.replace("unix://", "unix://:s3cret@"), tmp_path)
    found = report["redis"]
    assert found["reachable"]
    assert not found["embedded"]
    assert found["place"] == str(tmp_path / "private.sock")
    assert "s3cret" not in json.dumps(report)


def test_a_redis_that_is_not_there_is_named(tmp_path: Path) -> None:
    report = examine(tmp_path / "nothing", "redis://guard:s3cret@localhost:1/0", tmp_path)
    assert report["redis"]["place"] == "localhost:1/0"
    assert not report["redis"]["reachable"]
    assert "redis: localhost:1/0: connection refused; start it or leave --redis out" in report["problems"]
    assert "s3cret" not in json.dumps(report)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file")
    report = examine(tmp_path / "nothing", "redis://localhost:1/0", state)
    assert f"state: {state}: File exists; choose a folder you may write to with --state" in report["problems"]


def test_the_command_prints_json_and_fails_when_something_is_wrong(tmp_path: Path) -> None:
    command = ["doctor", "--json", "--state", str(tmp_path), "--bundle", str(tmp_path / "nothing")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"][0].startswith("bundle: ")


def test_torch_is_looked_for_and_not_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
