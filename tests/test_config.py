"""The configuration file: what it takes, what it refuses and how it says so; and the page that documents it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from pipeline.config import (
    Config,
    EngineConfig,
    EventConfig,
    EvidenceConfig,
    LiveConfig,
    LogConfig,
    MqttConfig,
    RedisConfig,
    RouteConfig,
    Section,
    SourceConfig,
    WebhookConfig,
    read_config,
)
from pipeline.errors import ConfigError

PAGE = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[Section]] = {
    "[[source]]": SourceConfig,
    "[live]": LiveConfig,
    "[engine]": EngineConfig,
    "[route]": RouteConfig,
    "[event]": EventConfig,
    "[evidence]": EvidenceConfig,
    "[redis]": RedisConfig,
    "[[webhook]]": WebhookConfig,
    "[mqtt]": MqttConfig,
    "[log]": LogConfig,
}
WEBHOOK = '[[webhook]]\nname = "desk"\nurl = "https://host/s3cret"\n'
SOURCE = '[[source]]\nname = "gate"\nurl = "rtsp://guard:s3cret@camera/1"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "heed.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    """What is said of a file with this text."""
    with pytest.raises(ConfigError) as caught:
        read_config(written(folder, text))
    message = str(caught.value)
    assert "s3cret" not in message
    assert "\n" not in message
    return message.removeprefix(f"config: {folder / 'heed.toml'}: ")


def example() -> str:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return str(block)


def documented_default(field: FieldInfo) -> str:
    """A default as the page writes it."""
    if field.is_required():
        return "needed"
    if field.default is None:
        return "none"
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{json.dumps(default)}`"


def test_the_documented_example_holds_every_key_and_is_right(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, example()))
    assert [source.name for source in config.source] == ["gate", "yard"]
    assert config.source[0].url.get_secret_value() == "rtsp://viewer:password@192.168.1.20:554/stream1"
    data = tomllib.loads(example())
    assert data.keys() == Config.model_fields.keys()
    for heading, section in SECTIONS.items():
        tables = data[heading.strip("[]")]
        named = {key for table in (tables if isinstance(tables, list) else [tables]) for key in table}
        assert named == section.model_fields.keys()


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_tells_every_key_with_its_default(heading: str) -> None:
    table = PAGE.partition(f"\n## `{heading}`\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE))
    assert told == {name: documented_default(field) for name, field in SECTIONS[heading].model_fields.items()}


def test_the_page_has_a_part_for_every_section() -> None:
    assert re.findall(r"^## `(.*)`$", PAGE, re.MULTILINE) == list(SECTIONS)
    assert [heading.strip("[]") for heading in SECTIONS] == list(Config.model_fields)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "")) == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[event]\nconfirm = 3\n", "event.confirm: no such key; see docs/configuration.md"),
        ("[engin]\n", "engin: no such key; see docs/configuration.md"),
        (SOURCE + "treshold = 0.5\n", "source.0.treshold: no such key; see docs/configuration.md"),
        ('[engine]\nthreads = "all"\n', "engine.threads: Input should be a valid integer"),
        ("[engine]\nmax_batch = 0\n", "engine.max_batch: Input should be greater than or equal to 1"),
        (
            '[engine]\nprovider = "gpu"\n',
            "engine.provider: Input should be 'auto', 'cpu', 'cuda', 'tensorrt' or 'openvino'",
        ),
        ("[live]\nread_timeout_seconds = nan\n", "live.read_timeout_seconds: Input should be a finite number"),
        (SOURCE + "threshold = 1.5\n", "source.0.threshold: Input should be less than 1"),
        ('[[source]]\nname = "gate"\n', "source.0.url: Field required"),
        ('[[source]]\nname = "the gate"\nurl = "s3cret"\n', "source.0.name: String should match pattern"),
        (
            '[[source]]\nname = "gate"\nurl = ["rtsp://guard:s3cret@camera/1"]\n',
            "source.0.url: Input should be a valid",
        ),
        ('[source]\nname = "gate"\nurl = "rtsp://guard:s3cret@camera/1"\n', "source: Input should be a valid tuple"),
        (
            "[event]\nrelease = 0\nmerge_seconds = -1\n",
            "event.release: Input should be greater than 0; event.merge_seconds:",
        ),
        (SOURCE + SOURCE, "source name gate used twice; give each its own"),
        (WEBHOOK + WEBHOOK, "webhook name desk used twice; give each its own"),
        (WEBHOOK + 'secret = "s3cret"\n', "webhook.0.secret: must be whsec_ and 24 to 64 bytes in base64"),
        ('[[webhook]]\nname = "desk"\nurl = "s3cret"\n', "webhook.0.url: must be https://host/path or"),
        ('[mqtt]\nurl = "mqtt://me:s3cret/1@host"\n', "mqtt.url: must be mqtt://user:password@host:1883"),
        ('[mqtt]\ntopic = "heed/#"\n', "mqtt.topic: String should match pattern"),
        ("[event\n", "not TOML: Expected ']'"),
        ('[redis]\nurl = "redis://:s3cret@localhost\n', "not TOML: "),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"heed\.toml: No such file or directory; name an existing file$"):
        read_config(tmp_path / "heed.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "heed.toml"
    path.write_bytes(b"\xff\xfe[event]")
    with pytest.raises(ConfigError, match=r"heed\.toml: not TOML: .*; mend the file$"):
        read_config(path)


@pytest.mark.parametrize("shown", [repr, str, lambda config: config.model_dump_json()])
def test_secrets_are_not_shown(shown: Any, tmp_path: Path) -> None:
    redis, mqtt = ('[redis]\nurl = "redis://:s3cret@localhost"\n', '[mqtt]\nurl = "mqtt://me:s3cret@localhost"\n')
    config = read_config(written(tmp_path, SOURCE + WEBHOOK + redis + mqtt))
    assert "s3cret" not in shown(config)
    assert "gate" in shown(config)


def test_a_section_cannot_be_changed() -> None:
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.event.release = 0.5
    assert config.event.release == 0.6


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 3000, "[" + "a." * 3000 + "a]"])
def test_what_is_too_long_or_too_deep_is_no_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heed.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"heed\.toml: .*; mend the file$|no such key"):
        read_config(path)
