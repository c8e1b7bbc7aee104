"""What an engine says of itself every few seconds: its figures, and their form on Redis."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

Value = tuple[str, tuple[str, ...], float]
"""Name of a figure, its labels' values in the order of `FIGURES`, and how much it is."""
Timing = tuple[str, tuple[str, ...], tuple[int, ...], float]
"""Name and labels' values, how many times fell up to each of `BOUNDS` and beyond the last, and their sum in seconds."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What is measured under one name."""

    kind: Literal["counter", "gauge", "histogram"]
    about: str
    """What it is, in a line for who sees only its name."""
    labels: tuple[str, ...] = ()
    """Without `engine`, which all have."""


BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Of times, in seconds: part of the form, as are the labels' order and number."""
NUM_COUNTS: Final = len(BOUNDS) + 1
"""Of a timing: the last is of what took longer."""

_OF_SOURCE: Final = ("source",)
FIGURES: Final[dict[str, Figure]] = {
    "heed_engine_info": Figure(
        "gauge",
        "What the engine judges with: always 1.",
        ("asked", "provider", "precision", "bundle", "sha256", "version"),
    ),
    "heed_engine_start_time_seconds": Figure("gauge", "When the engine began, in seconds since 1970."),
    "heed_engine_silent_cpu": Figure("gauge", "1 if the engine runs on the CPU where it was to use something faster."),
    "heed_windows_total": Figure("counter", "Windows that were judged.", _OF_SOURCE),
    "heed_anomalous_windows_total": Figure("counter", "Windows that were judged anomalous.", _OF_SOURCE),
    "heed_score": Figure("gauge", "Probability of an anomaly in the latest window.", _OF_SOURCE),
    "heed_threshold": Figure("gauge", "From which score on a window is anomalous.", _OF_SOURCE),
    "heed_events_total": Figure("counter", "Events that began.", ("source", "label")),
    "heed_alerts_total": Figure("counter", "Alerts that were made.", ("source", "kind")),
    "heed_encoder_runs_total": Figure("counter", "Windows that an encoder ran over.", ("source", "modality")),
    "heed_encoder_runs_saved_total": Figure(
        "counter", "Windows that an encoder need not run over, by routing.", ("source", "modality")
    ),
    "heed_dropped_windows_total": Figure("counter", "Windows that the engine was too slow for.", _OF_SOURCE),
    "heed_queue_age_seconds": Figure("gauge", "How long the oldest window that waits has waited.", _OF_SOURCE),
    "heed_stage_seconds": Figure(
        "histogram",
        "Time from what happens to its window (window), to its score (score), to its alert on the disk (alert), "
        "to Redis (redis).",
        ("stage",),
    ),
    "heed_source_up": Figure("gauge", "1 if the source runs, or has come to its proper end.", _OF_SOURCE),
    "heed_source_reconnects_total": Figure("counter", "Times that the source was lost or refused.", _OF_SOURCE),
    "heed_source_stalls_total": Figure("counter", "Times that the source gave nothing and was cut off.", _OF_SOURCE),
    "heed_outbox_alerts": Figure("gauge", "Alerts that wait for Redis."),
    "heed_discarded_alerts_total": Figure("counter", "Alerts given up: too many waited for Redis, or for too long."),
    "heed_process_cpu_seconds_total": Figure("counter", "Time on a core of the engine or a source.", ("process",)),
    "heed_process_resident_memory_bytes": Figure("gauge", "Memory of the engine or a source's process.", ("process",)),
    "heed_gpu_utilization_ratio": Figure("gauge", "Share of the time in which the GPU is busy, 0 to 1.", ("gpu",)),
    "heed_gpu_memory_used_bytes": Figure("gauge", "Memory of the GPU in use, by whomever.", ("gpu",)),
    "heed_gpu_memory_bytes": Figure("gauge", "Memory of the GPU.", ("gpu",)),
}


class Snapshot(BaseModel):
    """All figures of an engine at one time."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    at: float
    """Seconds since 1970."""
    values: tuple[Value, ...]
    timings: tuple[Timing, ...]

    @classmethod
    def read(cls, text: str | bytes) -> "Snapshot | None":
        """The snapshot, with only those figures that are known here; none if it is of another form."""
        try:
            told = cls.model_validate_json(text)
        except ValueError:
            return None
        values = tuple(each for each in told.values if _is_known(each[0], each[1], {"counter", "gauge"}))
        timings = tuple(each for each in told.timings if _is_known(each[0], each[1], {"histogram"}))
        return cls(at=told.at, values=values, timings=tuple(each for each in timings if len(each[2]) == NUM_COUNTS))


def _is_known(name: str, labels: tuple[str, ...], kinds: set[str]) -> bool:
    figure = FIGURES.get(name)
    return figure is not None and figure.kind in kinds and len(figure.labels) == len(labels)
