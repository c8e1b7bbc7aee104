"""What docs/deploy ships can be run: every file is read, every command and option is one that Heed has."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pipeline.cli import app
from pipeline.config import parse_config

DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"
DOCKERFILES = ["Dockerfile", "Dockerfile.cuda"]
UNIT = (DEPLOY / "heed@.service").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "heed"}
MADE = {"password.txt"}
"""Files that who deploys it makes."""


def check_command(words: list[str]) -> None:
    """Fails if it is none of ours, or has an option that is none of its own."""
    name, *rest = words
    named = {info.name or info.callback.__name__: info for info in app.registered_commands if info.callback}
    single = typer.Typer(add_completion=False)
    single.registered_commands = [named[name]]
    typer.main.get_command(single).make_context(name, rest)


def instruction(dockerfile: str, name: str) -> list[str]:
    """The words of the last instruction of this name."""
    text = (DEPLOY / dockerfile).read_text().replace("\\\n", "")
    found = re.findall(rf"^{name} (\[.*\])$", text, re.MULTILINE)
    return [str(word) for word in json.loads(found[-1])]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_runs_a_command_of_ours_as_nobody(dockerfile: str) -> None:
    assert instruction(dockerfile, "ENTRYPOINT") == ["heed"]
    check_command(instruction(dockerfile, "CMD"))
    users = re.findall(r"^USER (.*)$", (DEPLOY / dockerfile).read_text(), re.MULTILINE)
    assert users == ["10001"]


@pytest.mark.parametrize("service", OURS)
def test_compose_runs_commands_of_ours(service: str) -> None:
    check_command(OURS[service]["command"])
    assert OURS[service]["read_only"] is True
    assert OURS[service]["cap_drop"] == ["ALL"]


def test_what_compose_mounts_is_there() -> None:
    mounts = [mount for service in COMPOSE["services"].values() for mount in service["volumes"]]
    places = {place for place, _, _ in (mount.partition(":") for mount in mounts)}
    files = {place for place in places if place.startswith(".")}
    missing = {place for place in files if not (DEPLOY / place).is_file()}
    assert {Path(place).name for place in missing} <= MADE
    assert places - files == set(COMPOSE["volumes"])


@pytest.mark.parametrize("command", ["watch", "serve", "forward"])
def test_the_unit_runs_commands_of_ours(command: str) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    program, *words = shlex.split(line.replace("%i", command))
    assert Path(program).name == "heed"
    check_command(words)


def test_the_configuration_is_one() -> None:
    path = DEPLOY / "heed.toml"
    config = parse_config(tomllib.loads(path.read_text()), path)
    assert [source.name for source in config.source] == ["gate"]
    assert [webhook.name for webhook in config.webhook] == ["phone"]


def run(*words: str | Path) -> None:
    """Fails with what the program says."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"no {words[0]}")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_hadolint_has_nothing_to_say(dockerfile: str) -> None:
    run("hadolint", DEPLOY / dockerfile)


def test_compose_understands_its_file() -> None:
    run("docker-compose", "--file", DEPLOY / "compose.yml", "config", "--quiet")


def test_prometheus_understands_its_file(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEPLOY, tmp_path / "deploy"))
    shutil.copy(DEPLOY.parent / "alerts.yml", folder)
    password = folder / "password.txt"
    password.write_text("secret")
    text = (folder / "prometheus.yml").read_text().replace("/run/secrets/heed", str(password))
    (folder / "prometheus.yml").write_text(text)
    run("promtool", "check", "config", folder / "prometheus.yml")


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "heed@watch.service"
    unit.write_text(UNIT.replace("/opt/heed/bin/heed", shutil.which("true") or "/bin/true"))
    run("systemd-analyze", "verify", unit)
