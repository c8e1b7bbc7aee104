"""`metrics.json` as a table a person reads."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

Line = tuple[str, str, str]
"""Name, figure, and what it is over or why it is missing."""


def table(metrics: dict[str, Any]) -> Table:
    """The figures of `evaluate` in brief."""
    result = Table(title=f"{metrics['bundle']['name']} ({metrics['bundle']['sha256'][:12]})", title_justify="left")
    result.add_column("Figure")
    result.add_column("Value", justify="right")
    result.add_column("Over", style="dim")
    for section in (
        _whole(metrics),
        _events(metrics),
        _attribution(metrics),
        _parts(metrics),
        _conditions(metrics),
        _speed(metrics),
    ):
        for line in section:
            result.add_row(*line)
        result.add_section()
    return result


def _whole(metrics: dict[str, Any]) -> Iterator[Line]:
    clip = metrics["clip"]
    over = f"{clip['num_anomalies']} of {clip['n']} clips anomalous"
    auc = _value(clip["auc"])
    if clip["auc_ci95"] is not None:
        auc += f" ({clip['auc_ci95'][0]:.3f}–{clip['auc_ci95'][1]:.3f})"
    yield "Clip AUC (95 % interval)", auc, _why(metrics, "clip.auc", over)
    yield "Clip AP", _value(clip["ap"]), _why(metrics, "clip.ap", over)
    accuracy = f"at threshold {clip['threshold']:.3f}"
    yield "Clip accuracy", _value(clip["accuracy"]), _why(metrics, "clip.accuracy", accuracy)
    frame = metrics["frame"]
    cells = f"{frame['n'] / 10:.0f} s of labelled time"
    yield "Frame AUC", _value(frame["auc"]), _why(metrics, "frame.auc", cells)
    yield "Frame AP", _value(frame["ap"]), _why(metrics, "frame.ap", cells)
    windows = f"{metrics['calibration']['n']} windows"
    for name, words in (("ece", "Calibration error"), ("brier", "Brier score")):
        yield words, _value(metrics["calibration"][name]), _why(metrics, f"calibration.{name}", windows)


def _events(metrics: dict[str, Any]) -> Iterator[Line]:
    event = metrics["event"]
    found = f"{event['num_found']} of {event['num_anomalies']} found, {event['num_false']} false"
    for name in ("precision", "recall", "f1"):
        yield f"Event {name}", _value(event[name]), _why(metrics, f"event.{name}", found)
    normal = f"{event['normal_hours'] * 60:.1f} min of normal time"
    rate = _value(event["false_alarms_per_hour"], 2)
    if event["false_alarms_per_hour_ci95"] is not None:
        rate += " ({:.2f}–{:.2f})".format(*event["false_alarms_per_hour_ci95"])
    yield "False alarms/hour (95 %)", rate, _why(metrics, "event.false_alarms_per_hour", normal)
    delays = [_value(event[f"delay_seconds_p{percent}"], 1) for percent in (50, 95)]
    yield "Delay, median / 95 %", " / ".join(delays), _why(metrics, "event.delay_seconds_p50", "seconds")


def _attribution(metrics: dict[str, Any]) -> Iterator[Line]:
    """Where labels say which sense shows an anomaly."""
    if found := metrics["attribution"]:
        each = ", ".join(f"{name} {part['right']} of {part['n']}" for name, part in found["by_modality"].items())
        over = _why(metrics, "attribution.share", f"detected anomalies of one sense: {each}")
        yield "Carried by the sense that shows it", _value(found["share"]), over


def _parts(metrics: dict[str, Any]) -> Iterator[Line]:
    """AUC of each modality alone, each label against normal, each baseline."""
    for key, words in (("by_modality", "alone"), ("by_label", "against normal"), ("baselines", "baseline")):
        for name, part in metrics[key].items():
            over = f"{part['num_anomalies']} of {part['n']} clips"
            yield (
                f"AUC, {name.replace('_', ' ')} {words}",
                _value(part["auc"]),
                _why(metrics, f"{key}.{name}.auc", over),
            )


def _conditions(metrics: dict[str, Any]) -> Iterator[Line]:
    """AUC when modalities are taken away, where a clip has more than one."""
    parts = {name: part for name, part in metrics["by_condition"].items() if name != "all"}
    if not any(len(part["alone"]) > 1 for part in parts.values()):
        return
    for name, part in parts.items():
        alone = " / ".join(_value(each["auc"]) for each in part["alone"].values())
        without = f"alone {alone}; late fusion {_value(part['late_fusion_max']['auc'])}"
        over = (
            f"{part['num_anomalies']} of {part['n']} clips; {without if len(part['alone']) > 1 else f'alone {alone}'}"
        )
        words = f"AUC, given {' + '.join(part['alone'])} only"
        yield words, _value(part["auc"]), _why(metrics, f"by_condition.{name}.auc", over)


def _speed(metrics: dict[str, Any]) -> Iterator[Line]:
    speed = metrics["speed"]
    yield "Windows a second", _value(speed["windows_per_second"], 1), metrics["bundle"]["provider"]
    yield "Real-time factor", _value(speed["real_time_factor"]), f"{speed['media_seconds']:.0f} s of media"
    if routing := metrics.get("routing"):
        each = ", ".join(f"{name} {_value(share)}" for name, share in routing["by_modality"].items())
        yield "Encoder runs saved", _value(routing["saved"]), each


def _value(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _why(metrics: dict[str, Any], key: str, otherwise: str) -> str:
    reason: str = metrics["reasons"].get(key, otherwise)
    return reason
