"""The figures as Markdown, which is what people read and what `docs/performance.md` shows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipeline.bench.cameras import LONGEST_P95_SECONDS
from pipeline.bench.parts import NOT_ASKED

Report = Mapping[str, Any]
_NONE: Final = "–"
_SHORT: Final = (
    ("start.first_score_s", 1, "seconds from the command `heed watch` to its first score"),
    ("encoders.int8_over_fp32", 1, "times as fast: video network, int8 against fp32, ONNX Runtime on the CPU"),
    ("encoders.openvino_over_fp32", 1, "times as fast: video network, OpenVINO's best against the same"),
    ("line.efficiency", 2, "of the speed of its bare sessions has the whole line"),
    ("naive.speedup", 1, "times as fast as the naive script, busy footage"),
    ("naive.own_speedup", 1, "times as fast as Heed's own networks in torch, busy footage"),
    ("naive.ordinary_speedup", 1, "times as fast as the naive script, ordinary footage"),
    (
        "cameras.most_live",
        0,
        f"live cameras, ordinary footage, p95 at most {LONGEST_P95_SECONDS:g} s, no window dropped",
    ),
    ("cameras.most_live_busy", 0, "the same, busy footage"),
    ("cameras.mib_each", 1, "MiB of memory for one camera more"),
    ("alerts.p99_ms", 1, "ms from event to subscriber, 99 of 100, embedded Redis"),
)
"""Figure, digits behind the point, and what it says."""


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    machine, bundle, versions = report["machine"], report["bundle"], report["versions"]
    yield f"`{report['command']}`, {report['date']}"
    yield ""
    yield f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; load {machine['load']} before"
    yield f"- {bundle['name']} ({bundle['sha256'][:12]}) on {bundle['provider']}, {bundle['precision']}"
    yield f"- {', '.join(f'{name} {number}' for name, number in versions.items())}"
    for title, section in (
        ("In short", _short(report)),
        ("Encoders", _encoders(report["encoders"])),
        ("Windows a second on a file", _rates(report)),
        ("Live cameras", _cameras(report["cameras"])),
        ("From event to subscriber", _alerts(report["alerts"])),
        ("Not measured", _missing(report["reasons"])),
    ):
        if lines := list(section):
            yield from ("", f"## {title}", "", *lines)


def _short(report: Report) -> Iterator[str]:
    rows = [
        (f"`{key}`", _of(report[part][name], digits), what)
        for key, digits, what in _SHORT
        for part, name in (key.split("."),)
        if report["reasons"].get(part) != NOT_ASKED
    ]
    yield from _table(("Figure", "Value", "Is"), rows)


def _encoders(encoders: Report) -> Iterator[str]:
    networks = {name: part for name, part in encoders.items() if isinstance(part, Mapping)}
    if not networks:
        return
    yield from _table(
        ("Network", "Engine", "ms a clip", "Clips/s", "Of GEMM limit"),
        [
            (
                name,
                engine,
                _of(each["ms"], 2),
                _of(each["clips_per_second"], 1),
                f"{100 * each['of_gemm']:.0f} %",
            )
            for name, part in networks.items()
            for engine, each in part["engines"].items()
        ],
    )
    yield ""
    sizes = ", ".join(f"{name} {part['million_macs']:.0f}" for name, part in networks.items())
    yield f"Batches of {encoders['batch']}. Million multiply-accumulates a clip: {sizes}."


def _rates(report: Report) -> Iterator[str]:
    rows = [
        (f"{part}, {name.replace('_', ' ')}", _of(value, 1))
        for part in ("line", "naive")
        for name, value in report[part].get("windows_per_second", {}).items()
    ]
    if rows:
        yield from _table(("What", "Windows/s"), rows)


def _cameras(cameras: Report) -> Iterator[str]:
    rows = [
        (
            name,
            str(point["num_cameras"]),
            _of(point["p50_seconds"], 2),
            _of(point["p95_seconds"], 2),
            str(point["num_dropped"]),
            _of(point["windows_per_second"], 1),
            _of(point["cpu_cores"], 2),
            _of(point["pss_mib"]),
            "yes" if point["holds"] else "no",
        )
        for name in ("ordinary", "busy")
        for point in cameras.get(name, ())
    ]
    if rows:
        heads = ("Footage", "Cameras", "p50 s", "p95 s", "Dropped", "Windows/s", "Cores busy", "MiB", "Holds")
        yield from _table(heads, rows)


def _alerts(alerts: Report) -> Iterator[str]:
    rows = [
        (name, _of(each["events_per_second"]), _of(each["p50_ms"], 1), _of(each["p99_ms"], 1), str(each["num_lost"]))
        for name, each in ((name, alerts.get(name)) for name in ("embedded", "redis"))
        if each
    ]
    if rows:
        yield from _table(("Redis", "Events/s", "p50 ms", "p99 ms", "Lost"), rows)


def _missing(reasons: Mapping[str, str]) -> list[str]:
    return [f"- `{key}`: {why}" for key, why in reasons.items() if why != NOT_ASKED]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns of figures to the right; padded, for it is read as it stands, too."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    is_figure = [all(row[place][:1].isdigit() or row[place] == _NONE for row in rows) for place in range(len(heads))]
    bars = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, is_figure, strict=True)]
    for row in (heads, bars, *rows):
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_figure, strict=True)
        )
        yield f"| {' | '.join(cells)} |"


def _of(value: float | None, digits: int = 0) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"
