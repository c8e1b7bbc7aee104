"""The message, version 1. `alert.schema.json` is made from it by `python -m alerts.alert`."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from alerts.errors import AlertFormatError

SCHEMA_PATH: Final = Path(__file__).with_name("alert.schema.json")
"""The published JSON Schema (draft 2020-12)."""

TIME_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
"""RFC 3339, always UTC, always milliseconds: times of one length sort as text."""

_ABSENT_IS_SILENT: Final[JsonDict] = {
    "if": {"properties": {"present": {"const": False}}},
    "then": {"properties": {"score": {"type": "null"}, "contribution": {"type": "null"}}},
}
_ONLY_END_HAS_ENDED: Final[JsonDict] = {
    "if": {"properties": {"kind": {"const": "end"}}},
    "then": {"properties": {"ended_at": {"type": "string"}}},
    "else": {"properties": {"ended_at": {"type": "null"}}},
}


def _parsed_time(value: object) -> datetime:
    """Takes text only in the one form that alerts use; pydantic alone would take numbers and much else."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(TIME_PATTERN, value):
        return datetime.fromisoformat(value)
    raise ValueError("must be a UTC time such as 2026-11-22T07:15:01.250Z")


def _to_milliseconds(time: datetime) -> datetime:
    """The time as it will be written, so that an alert equals what is read back of it."""
    time = time.astimezone(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rfc3339(time: datetime) -> str:
    """The time as alerts write it: UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    BeforeValidator(_parsed_time),
    AfterValidator(_to_milliseconds),
    PlainSerializer(rfc3339, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]
Probability = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A piece of an alert: frozen, every field required, no other allowed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, protected_namespaces=()
    )


class Modality(Part):
    """What one of seeing, hearing and reading had to do with it."""

    model_config = ConfigDict(json_schema_extra=_ABSENT_IS_SILENT)

    present: bool
    """Whether the source had this modality in the window."""
    score: Probability | None
    """The probability of an anomaly by this modality alone; null if it was absent or not judged."""
    contribution: float | None
    """How much the anomaly's logit falls when this modality is taken away; null if absent or not measured."""

    @model_validator(mode="after")
    def _absent_is_silent(self) -> Self:
        if not self.present and (self.score is not None or self.contribution is not None):
            raise ValueError("an absent modality has neither score nor contribution")
        return self


class Modalities(Part):
    """The three ways to notice something."""

    video: Modality
    """Seen."""
    audio: Modality
    """Heard."""
    text: Modality
    """Read."""


class Model(Part):
    """What gave the scores."""

    name: str = Field(min_length=1)
    """The bundle's name."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The bundle's hash."""
    provider: str = Field(min_length=1)
    """The ONNX Runtime provider that really ran, such as `cpu` or `cuda`."""


class Evidence(Part):
    """Files that show it."""

    clip: str | None
    """Path of the clip; null while it is still being recorded."""
    snapshot: str | None
    """Path of the picture; null for a source without pictures."""


class Alert(Part):
    """One step of an anomaly on one source. All its steps share `id`; `id` and `sequence` together name this one."""

    model_config = ConfigDict(json_schema_extra=_ONLY_END_HAS_ENDED)

    version: Literal[1]
    """Version of this format."""
    id: str = Field(min_length=1)
    """The same from begin to end, unique over sources and restarts."""
    sequence: int = Field(ge=0)
    """0 for the begin, one more for every step after it."""
    kind: Literal["begin", "update", "end"]
    """Which step this is."""
    source: str = Field(min_length=1)
    """Name of the source."""
    label: str = Field(min_length=1)
    """Kind of anomaly, such as `gun_shot`."""
    score: Probability
    """Probability of an anomaly, the highest so far."""
    threshold: Probability
    """The score from which this source counts as anomalous."""
    started_at: Time
    """Start of the first anomalous window, UTC."""
    ended_at: Time | None
    """End of the last anomalous window, UTC; null until the `end`."""
    peak_at: Time
    """Start of the window with the highest score, UTC."""
    modalities: Modalities
    """What each modality had to do with it, in the window with the highest score."""
    text: str | None
    """The words read, if any."""
    model: Model
    """Which model that was, and what it ran on."""
    latency_seconds: float = Field(ge=0)
    """From the moment the last scored window was complete until this alert was made."""
    evidence: Evidence | None
    """Files that show it, if any are kept."""

    @model_validator(mode="after")
    def _only_end_has_ended(self) -> Self:
        if (self.kind == "end") != (self.ended_at is not None):
            raise ValueError("ended_at belongs to the end, and to nothing else")
        return self

    def to_json(self) -> str:
        """The alert on one line."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            AlertFormatError: it is not JSON, or not an alert of version 1; every wrong field is named.
        """
        try:
            return cls.model_validate_json(data, strict=True)
        except ValidationError as error:
            wrong = "; ".join(_complaint(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False))
            raise AlertFormatError(f"alert: {wrong}") from None


def alert_id(source: str, started_at: datetime) -> str:
    """The id of the anomaly that began on `source` at this wall-clock time, such as `gate-20261122T071501.250Z`.

    Args:
        source: Name of the source.
        started_at: When it began, with its time zone. Taken to the millisecond.
    """
    return f"{source}-{rfc3339(started_at).replace('-', '').replace(':', '')}"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of an alert: what `alert.schema.json` holds."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:heed:alert:1"}
    return head | Alert.model_json_schema()


def _complaint(location: tuple[int | str, ...], message: str) -> str:
    """One wrong field in words, without its value: that may be long, or not for every eye."""
    field = ".".join(str(part) for part in location)
    message = message.removeprefix("Value error, ")
    return f"{field}: {message}" if field else message


if __name__ == "__main__":
    SCHEMA_PATH.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
