"""Figures in words: their names, how they are written, and what they come to in plain sentences."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

NAMES: Final[Mapping[str, str]] = {
    "auc": "AUC",
    "ap": "AP",
    "pr_auc": "PR AUC",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "false_alarms_per_hour": "False alarms an hour",
    "delay_seconds_p50": "Delay, median, s",
    "delay_seconds_p95": "Delay, 95 %, s",
    "ece": "Calibration error (ECE)",
    "ece_at_share": "ECE for the share of anomalies here",
    "brier": "Brier score",
    "calibration.prior": "Share of anomalies the probabilities are for",
    "calibration.n": "Windows in labelled time",
    "calibration.num_anomalies": "of them anomalous",
    "attribution.n": "Detected anomalies that one modality shows",
    "attribution.right": "of them carried by that modality",
    "attribution.share": "Share",
    "num_anomalies": "Labelled anomalies",
    "num_found": "Anomalies found",
    "num_false": "False alarms",
    "num_repeated": "Events on an anomaly already found",
    "normal_hours": "Normal time, hours",
    "windows_per_second": "Windows a second",
    "real_time_factor": "Real-time factor (below 1 keeps up)",
    "media_seconds": "Media, s",
    "wall_seconds": "Time taken, s",
}
"""Keys of `metrics.json` as people say them; a key that is not here is written with spaces."""
LOWER_IS_BETTER: Final = frozenset(
    {"false_alarms_per_hour", "delay_seconds_p50", "delay_seconds_p95", "ece", "ece_at_share", "brier"}
)
FEW_HOURS: Final = 24.0
"""A rate an hour from less normal time than this is an extrapolation, and said to be one."""


def spoken(key: str, section: str = "") -> str:
    """A key in words; some mean something of their own in a section."""
    return NAMES.get(f"{section}.{key}") or NAMES.get(key, key.replace("_", " "))


def number(value: float | None) -> str:
    """A figure, as exact as it is worth."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def interval(bounds: list[float] | None) -> str:
    """An interval."""
    return "" if bounds is None else f"{number(bounds[0])}–{number(bounds[1])}"


def sentences(metrics: Mapping[str, Any], num_found: int, num_flagged: int) -> Iterator[str]:
    """What it all comes to.

    Args:
        metrics: what `evaluate` computed.
        num_found: anomalous clips at or over the threshold.
        num_flagged: normal clips at or over it.
    """
    clip = metrics["clip"]
    num_normal = clip["n"] - clip["num_anomalies"]
    found = f"finds {num_found} of {clip['num_anomalies']} anomalous clips"
    yield f"At its threshold {clip['threshold']:.3f} it {found} and flags {num_flagged} of {num_normal} normal ones."
    if clip["auc"] is None:
        yield f"How well it ranks clips cannot be said: {metrics['reasons'].get('clip.auc', 'not computed')}."
    else:
        bounds = clip.get("auc_ci95")
        between = f" (95 % interval {interval(bounds)}, resampled by recording)" if bounds else ""
        share = f"{100 * clip['auc']:.1f} % of the time"
        yield f"An anomalous clip scores above a normal one {share}{between}; chance is 50 %."
        yield from _against(metrics, clip["auc"], bounds)
    yield from _alarms(metrics["event"])
    if failed := len(metrics["failed"]):
        yield f"Files and rows that could not be used, and are in no figure: {failed}."


def _against(metrics: Mapping[str, Any], auc: float, bounds: list[float] | None) -> Iterator[str]:
    """The best of what a model must beat."""
    ranked = {name: part["auc"] for name, part in metrics.get("baselines", {}).items() if part["auc"] is not None}
    if not ranked:
        return
    best = max(ranked, key=lambda name: ranked[name])
    if bounds is None:
        place = "above it" if ranked[best] > auc else "below it"
    elif ranked[best] < bounds[0]:
        place = "below this interval"
    else:
        place = (
            "above this interval"
            if ranked[best] > bounds[1]
            else "inside this interval: no proof that the model is better"
        )
    yield f"The best baseline, {spoken(best)}, reaches {ranked[best]:.3f}, {place}."


def _alarms(event: Mapping[str, Any]) -> Iterator[str]:
    rate = event["false_alarms_per_hour"]
    if rate is None or event["normal_hours"] * 60 < 1:
        return
    hours = event["normal_hours"]
    time = f"{hours * 60:.1f} minutes" if hours < 1 else f"{hours:.1f} hours"
    caution = "; so little time makes the rate a rough guess" if hours < FEW_HOURS else ""
    plural = "false alarm" if event["num_false"] == 1 else "false alarms"
    bounds = event.get("false_alarms_per_hour_ci95")
    between = f" (95 % interval {interval(bounds)})" if bounds else ""
    yield f"{event['num_false']} {plural} in {time} of normal time, {rate:.1f} an hour{between}{caution}."
