"""Every default of the live path, and the TOML file that changes them."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from alerts.targets import check_broker, check_webhook, signing_key
from pipeline.errors import ConfigError

Seconds = Annotated[float, Field(ge=0)]
Decoder = Literal["cpu", "auto", "cuda", "vaapi", "qsv", "videotoolbox"]
Name = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]


def _secret(check: Callable[[str], object]) -> AfterValidator:
    """Looks at what is secret."""

    def checked(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return AfterValidator(checked)


class Section(BaseModel):
    """A table of the configuration: frozen; a misspelt key is an error, and so is `nan` or `inf`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SourceConfig(Section):
    """One `[[source]]`: a stream to watch."""

    name: Name
    """What alerts call it."""
    url: SecretStr
    """A file, `rtsp://`, `rtsps://`, `http(s)://` (HLS too) or `/dev/video0`. Secret: it may hold a password."""
    pace: Literal["auto", "live"] = "auto"
    """`live` reads a file at its own speed; `auto` reads it as fast as the engine takes it."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Overrides the bundle's threshold for this source."""


class LiveConfig(Section):
    """How a live source is opened, watched and opened again. Values are Frigate's where it has one."""

    open_timeout_seconds: Seconds = 10
    """For the connection and the stream's headers."""
    read_timeout_seconds: Seconds = 10
    """For every packet after that."""
    first_frame_seconds: float = Field(default=60, gt=0)
    """From connecting to the first picture or sound; then its process is ended and started anew."""
    stall_seconds: float = Field(default=20, gt=0)
    """Without a picture or sound; then its process is ended and started anew. One of the two alone is told."""
    first_pause_seconds: Seconds = 1
    """Pause before the first reopening; doubles every time."""
    longest_pause_seconds: Seconds = 30
    unauthorised_pause_seconds: Seconds = 60
    """After a refused password: cameras lock accounts that knock too often."""
    jitter: float = Field(default=0.2, ge=0, lt=1)
    """Share by which a pause is shortened or lengthened at random, so that cameras do not all knock at once."""
    healthy_seconds: Seconds = 300
    """A stream that ran this long starts again from the first pause."""
    memory_mib: int = Field(default=2048, ge=256)
    """Most memory of a source's process: what a hostile stream makes a decoder ask for ends there. Files too."""
    decoder: Decoder = "cpu"
    """What decodes pictures. `auto`: hardware, if any is there. Where one that is named cannot, the CPU does."""
    picture_seconds: Seconds = 2
    """Between two pictures of a source that go to Redis, for `heed serve` to show; 0: none do."""


class EngineConfig(Section):
    """How windows are scored."""

    bundle: Path | None = None
    """Folder of the model; none means the one that ships with Heed."""
    name: Name | None = None
    """What `/metrics` calls this engine; none means the machine's name."""
    provider: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = "auto"
    """`auto` takes the best one that really runs; a provider named here and not used is an error."""
    allow_cpu: bool = False
    """Run on the CPU, with a warning, when the named provider cannot be used."""
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    """`auto` takes int8 on CPUs and fp16 on GPUs, for each network that loses at most 0.005 AUC by it."""
    threads: int = Field(default=0, ge=0)
    """Of each network's session; 0 means one for every core."""
    max_batch: int = Field(default=4, ge=1)
    """Most windows, of all sources, scored at once. Each costs some 60 MB."""
    batch_wait_seconds: Seconds = 0.02
    """How long a window may wait for others to share its batch."""
    queue_windows: int = Field(default=8, ge=1)
    """Windows kept per source while the engine is busy. Live: the oldest is dropped, counted. Files: readers wait."""


class RouteConfig(Section):
    """Which encoders a window needs: where nothing unusual happens, the last token is kept."""

    enabled: bool = True
    """In `heed watch`; `heed evaluate` computes everything unless it is told to `--route`."""
    tolerance: float = Field(default=3, ge=0)
    """Median deviations over its usual motion and loudness that are nothing unusual on a source."""
    explore_seconds: float = Field(default=10, gt=0)
    """No token is kept for longer: so often every source is computed whole, whatever happens."""
    near: float = Field(default=0.12, ge=0, le=1)
    """After a score of `near * threshold` or more the next window is computed whole."""
    first_windows: int = Field(default=4, ge=1)
    """Windows of a session that are computed whole at its beginning."""


class EventConfig(Section):
    """When windows become an event."""

    confirm_windows: int = Field(default=2, ge=1)
    """Windows in a row at or over the threshold that begin an event."""
    release: float = Field(default=0.6, gt=0, le=1)
    """An event ends below `release * threshold`: hysteresis, so that a score at the edge does not flicker."""
    merge_seconds: Seconds = 5
    """An event ends when its scores stayed low this long; what comes sooner belongs to it."""
    cooldown_seconds: Seconds = 10
    """After an event ends, the next on the same source and of the same label begins no sooner."""
    longest_seconds: Seconds = 300
    """A longer event is ended and, if it goes on, begun anew."""
    update_seconds: Seconds = 5
    """Least time between two updates of an event."""


class EvidenceConfig(Section):
    """What is kept of an event, in the folder `evidence` of the state folder."""

    enabled: bool = True
    """Clips, snapshots and strips of pictures."""
    before_seconds: float = Field(default=5, ge=0, le=60)
    """Of a clip, before the event; as far as 8 MiB of memory reach back."""
    after_seconds: float = Field(default=5, ge=0, le=60)
    """Of a clip, after the event."""
    longest_seconds: float = Field(default=300, ge=1)
    """A clip ends here, however long the event."""
    keep_days: float = Field(default=30, gt=0)
    """Older files are deleted."""
    most_mib: int = Field(default=2048, ge=1)
    """Of all files together: beyond this the oldest are deleted."""


class RedisConfig(Section):
    """Where alerts go."""

    url: SecretStr | None = None
    """`redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`; none means the embedded Redis."""

    @property
    def plain_url(self) -> str | None:
        """The URL with its password, to connect to."""
        return self.url.get_secret_value() if self.url else None


class WebhookConfig(Section):
    """One `[[webhook]]`: where `heed forward` posts alerts."""

    name: Name
    """What messages call it. Under this name Redis keeps how far it has come."""
    url: Annotated[SecretStr, _secret(check_webhook)]
    """`https://` or `http://`. Secret: it may hold a token."""
    secret: Annotated[SecretStr, _secret(signing_key)] | None = None
    """`whsec_…`, which signs the requests by Standard Webhooks; none means unsigned."""
    kinds: tuple[Literal["begin", "update", "end"], ...] = ("begin", "update", "end")
    """Steps of an event that are posted."""
    allow_private: bool = False
    """Also post to private, loopback and link-local addresses."""
    ca_file: Path | None = None
    """Authorities to believe instead of the system's, PEM."""


class MqttConfig(Section):
    """Where `heed forward` publishes alerts and states."""

    url: Annotated[SecretStr, _secret(check_broker)] | None = None
    """`mqtt://user:password@host:1883`, or with TLS `mqtts://host:8883`; none means no MQTT."""
    topic: str = Field(default="heed", pattern=r"^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$")
    """What all topics begin with."""
    discovery: str = Field(default="homeassistant", pattern=r"^([a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*)?$")
    """Prefix of Home Assistant's discovery; empty means that it is told nothing."""
    state_seconds: float = Field(default=10, ge=1)
    """Between two states of a source of which only the score has changed; others are told at once."""
    ca_file: Path | None = None
    """Authorities to believe instead of the system's, PEM."""


class LogConfig(Section):
    """What `heed watch` says on stderr."""

    format: Literal["text", "json"] = "text"
    """`json` writes an object a line."""
    repeat_seconds: Seconds = 60
    """What is said again within this time is counted, not repeated."""


class Config(Section):
    """All of `heed.toml`."""

    source: tuple[SourceConfig, ...] = ()
    live: LiveConfig = LiveConfig()
    engine: EngineConfig = EngineConfig()
    route: RouteConfig = RouteConfig()
    event: EventConfig = EventConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    redis: RedisConfig = RedisConfig()
    webhook: tuple[WebhookConfig, ...] = ()
    mqtt: MqttConfig = MqttConfig()
    log: LogConfig = LogConfig()


def read_config(path: Path) -> Config:
    """Reads `heed.toml`.

    Raises:
        ConfigError: the file is missing, is not TOML, or has an unknown or wrong key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"config: {path}: {error.strerror}; name an existing file") from None
    except (ValueError, RecursionError) as error:  # a number too long and tables too deep, too
        raise ConfigError(f"config: {path}: not TOML: {error}; mend the file") from None
    return parse_config(data, path)


def parse_config(data: dict[str, Any], path: Path) -> Config:
    """Checks what was read from `path`.

    Raises:
        ConfigError: a key is unknown or its value is wrong; every one is named.
    """
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(_complaint(detail["loc"], detail["msg"], detail["type"]) for detail in error.errors())
        raise ConfigError(f"config: {path}: {wrong}; see docs/configuration.md") from None
    for kind, named in (("source", config.source), ("webhook", config.webhook)):
        names = [each.name for each in named]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"config: {path}: {kind} name {', '.join(twice)} used twice; give each its own")
    return config


def _complaint(location: Sequence[int | str], message: str, kind: str) -> str:
    """One wrong key in words. Values are left out: they may be secret."""
    key = ".".join(str(part) for part in location)
    return f"{key}: {'no such key' if kind == 'extra_forbidden' else message.removeprefix('Value error, ')}"
