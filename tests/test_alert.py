"""The message: what it holds, how it is written, and what is refused."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import pytest
from conftest import make_alert
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from alerts.alert import SCHEMA_PATH, Alert, Evidence, Modalities, Modality, Model, alert_id, json_schema
from alerts.errors import AlertFormatError, AlertsError

SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))

words = st.text(min_size=1)
probabilities = st.floats(0, 1)
times = st.datetimes(
    min_value=datetime(2000, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
present = st.builds(
    Modality,
    present=st.just(True),
    score=probabilities | st.none(),
    contribution=st.floats(allow_nan=False, allow_infinity=False) | st.none(),
)
modalities = present | st.builds(Modality, present=st.just(False), score=st.none(), contribution=st.none())


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    kind: Literal["begin", "update", "end"] = draw(st.sampled_from(["begin", "update", "end"]))
    return Alert(
        version=1,
        id=draw(words),
        sequence=draw(st.integers(0, 2**53)),
        kind=kind,
        source=draw(words),
        label=draw(words),
        score=draw(probabilities),
        threshold=draw(probabilities),
        started_at=draw(times),
        ended_at=draw(times) if kind == "end" else None,
        peak_at=draw(times),
        modalities=Modalities(video=draw(modalities), audio=draw(modalities), text=draw(modalities)),
        text=draw(st.none() | st.text()),
        model=Model(name=draw(words), sha256=draw(st.from_regex(r"\A[0-9a-f]{64}\Z")), provider=draw(words)),
        latency_seconds=draw(st.floats(0, 1e6)),
        evidence=draw(
            st.none() | st.builds(Evidence, clip=st.none() | st.text(), snapshot=st.none() | st.text()),
        ),
    )


@given(alerts())
def test_an_alert_comes_back_from_json_as_it_was_and_fits_the_schema(alert: Alert) -> None:
    written = alert.to_json()
    assert "\n" not in written
    assert Alert.from_json(written) == alert
    assert Alert.from_json(written.encode()) == alert
    Draft202012Validator(SCHEMA).validate(json.loads(written))


def test_the_published_schema_is_the_models() -> None:
    assert json_schema() == SCHEMA, "run: python -m alerts.alert"
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_describes_every_field() -> None:
    for part in [SCHEMA, *SCHEMA["$defs"].values()]:
        assert set(part["required"]) == set(part["properties"])
        assert all(field.get("description") for field in part["properties"].values())


def test_the_fields_are_those_of_version_1() -> None:
    alert = json.loads(make_alert(kind="end").to_json())
    assert alert == {
        "version": 1,
        "id": "gate-20261122T071501.250Z",
        "sequence": 0,
        "kind": "end",
        "source": "gate",
        "label": "gun_shot",
        "score": 0.93,
        "threshold": 0.5,
        "started_at": "2026-11-22T07:15:01.250Z",
        "ended_at": "2026-11-22T07:15:09.250Z",
        "peak_at": "2026-11-22T07:15:03.250Z",
        "modalities": {
            "video": {"present": True, "score": 0.12, "contribution": -0.1},
            "audio": {"present": True, "score": 0.95, "contribution": 3.2},
            "text": {"present": False, "score": None, "contribution": None},
        },
        "text": "drop the weapon",
        "model": {"name": "street-1", "sha256": "0f" * 32, "provider": "CPUExecutionProvider"},
        "latency_seconds": 0.4,
        "evidence": {"clip": "evidence/gate.mp4", "snapshot": None},
    }


WRONG: list[tuple[str, Any]] = [
    ("version", 2),
    ("sequence", -1),
    ("sequence", "0"),
    ("kind", "middle"),
    ("source", ""),
    ("score", 1.01),
    ("score", "0.5"),
    ("threshold", None),
    ("started_at", "2026-11-22T07:15:01.250+01:00"),
    ("started_at", "2026-11-22 07:15:01"),
    ("started_at", 1795331701),
    ("ended_at", "2026-11-22T07:15:01.250Z"),
    ("modalities.audio", None),
    ("modalities.audio.present", False),
    ("modalities.audio.score", "loud"),
    ("modalities.smell", {"present": False, "score": None, "contribution": None}),
    ("model.sha256", "0F" * 32),
    ("latency_seconds", -0.1),
    ("evidence", {"clip": "evidence/gate.mp4"}),
    ("severity", "high"),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=[f"{field}={value}"[:40] for field, value in WRONG])
def test_a_wrong_field_is_named_and_refused_by_model_and_schema_alike(field: str, value: Any) -> None:
    alert = json.loads(make_alert().to_json())
    *path, name = field.split(".")
    part = alert
    for step in path:
        part = part[step]
    part[name] = value
    assert not Draft202012Validator(SCHEMA).is_valid(alert)
    with pytest.raises(AlertFormatError, match=re.escape(f"alert: {field.partition('.')[0]}")) as caught:
        Alert.from_json(json.dumps(alert))
    assert len(str(caught.value).splitlines()) == 1


def test_an_end_without_its_time_is_refused_by_model_and_schema_alike() -> None:
    alert = json.loads(make_alert(kind="end").to_json()) | {"ended_at": None}
    assert not Draft202012Validator(SCHEMA).is_valid(alert)
    with pytest.raises(AlertFormatError, match="ended_at belongs to the end"):
        Alert.from_json(json.dumps(alert))


@pytest.mark.parametrize("name", list(SCHEMA["properties"]))
def test_no_field_may_be_missing(name: str) -> None:
    alert = json.loads(make_alert().to_json())
    del alert[name]
    assert not Draft202012Validator(SCHEMA).is_valid(alert)
    with pytest.raises(AlertFormatError, match=f"{name}: Field required"):
        Alert.from_json(json.dumps(alert))


@pytest.mark.parametrize("data", ["", "{", "[]", "null", b"\xff\xfe", "[" * 10_000, '{"version": NaN}'])
def test_what_is_no_alert_is_an_error_on_one_line(data: str | bytes) -> None:
    with pytest.raises(AlertFormatError, match=r"\Aalert: [^\n]+\Z"):
        Alert.from_json(data)


def test_errors_are_also_their_builtin_cousins() -> None:
    with pytest.raises(ValueError, match="alert"):
        Alert.from_json("{}")
    with pytest.raises(AlertsError):
        Alert.from_json("{}")


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1])
def test_a_score_is_a_probability(score: float) -> None:
    with pytest.raises(ValidationError):
        make_alert(score=score)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        make_alert(started_at=datetime(2026, 11, 22))


def test_an_alert_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        make_alert().score = 0.1


def test_the_id_tells_source_and_start_whatever_the_time_zone() -> None:
    utc = datetime(2026, 11, 22, 7, 15, 1, 250_999, tzinfo=UTC)
    assert alert_id("gate-2", utc) == "gate-2-20261122T071501.250Z"
    assert alert_id("gate-2", utc.astimezone(timezone(timedelta(hours=9)))) == alert_id("gate-2", utc)
    assert alert_id("gate-2", utc + timedelta(milliseconds=1)) != alert_id("gate-2", utc)
    assert alert_id("gate-2", make_alert(started_at=utc).started_at) == alert_id("gate-2", utc)
