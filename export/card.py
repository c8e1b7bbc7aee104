"""The model card: what a bundle is, what it learned from, how well it does, and what it must not be used for."""

from collections.abc import Iterator, Sequence
from typing import Any

from export.bundle import Manifest, identity

_LIMITS = """\
## What it must not be used for

- **Deciding about people.** An alert says "look here". It is no proof, and no one must be accused, sorted, followed
  or refused anything because of one.
- **Safety of life alone.** It misses anomalies and raises false alarms; the figures above say how many, on material
  like the test files. On other cameras, rooms, languages and sounds it may do worse.
- **Recognising anyone.** It has no identities, faces or voices in it, and is not to be given any.
- **Commerce, as it is.** It learned from material under non-commercial and research licences (below).

## Known limits

- A window is 2 s of picture, sound and text, 8 pictures a second, the whole view squeezed to a square: what is small in
  the picture is not seen.
- The text encoder reads English.
- No public material has fights, their true sound and subtitles together: fusion learned from *composed* sequences.
- An abandoned object does not move, and R3D-18 here sees movement: it is not among the labels.
"""


def model_card(manifest: Manifest, notes: str = "") -> str:
    """The card in Markdown, with notes after its figures."""
    spec, training = manifest.spec, manifest.training
    recipe = training["recipe"]
    lines = [
        f"# Model card: {manifest.name}",
        "",
        f"Hash `{identity(manifest)[:16]}`, threshold {manifest.threshold:.3f}.",
        "",
        "R3D-18 on differences between pictures, MFCC, short convolutions and LSTM on sound, BERT on subtitles, a"
        f" Transformer over the last {spec['context']} windows. Labels: {', '.join(spec['labels'])}.",
        "",
        "## Figures",
        "",
        *(_figures(manifest.metrics) if manifest.metrics else ["None were measured for this bundle."]),
        "",
        "Of the validation split of the training files, by recording, used to choose calibration and threshold"
        f"{_first_runs(training.get('refit', ()))}:"
        f" AUC {', '.join(f'{name} {value:.3f}' for name, value in training['validation_auc'].items())}.",
        "",
        *(_precisions(manifest) if manifest.precisions else ()),
        *((notes.strip(), "") if notes.strip() else ()),
        _LIMITS,
        "## Learned from",
        "",
        "| material | licence |",
        "|---|---|",
        *(f"| {source.name} | {source.licence or 'not stated'} |" for source in manifest.data),
        "",
        f"Before that, R3D-18 began from `{recipe['video']['weights']}` weights and BERT from"
        f" `{recipe['text']['weights']}` (all-MiniLM-L6-v2's are Apache-2.0).",
        "",
        "Windows: "
        + "; ".join(
            f"{part}: " + ", ".join(f"{name} {count}" for name, count in counts.items())
            for part, counts in training["windows"].items()
        )
        + ".",
        "",
        f"Seed {recipe['seed']}; one run. The recipe is in `bundle.json`.",
        "",
    ]
    return "\n".join(lines)


def _first_runs(names: Sequence[str]) -> str:
    """Whose validation it was, if the run kept nothing aside itself."""
    if not names:
        return ""
    runs = "a run" if len(names) == 1 else f"{len(names)} runs, together,"
    return f" (by {runs} that kept it aside; this one learned from it too)"


def _figures(metrics: dict[str, Any]) -> Iterator[str]:
    """A row for each set that was evaluated; what could not be computed is a dash."""
    yield "| evaluated on | rows | AUC (95 % interval, by recording) | AP | accuracy | false alarms an hour |"
    yield "|---|---|---|---|---|---|"
    for name, figures in metrics.items():
        clip, event = figures["clip"], figures["event"]
        interval = "–".join(f"{end:.3f}" for end in clip["auc_ci95"]) if clip["auc_ci95"] else "–"
        cells = (
            clip["n"],
            f"{_number(clip['auc'])} ({interval})",
            _number(clip["ap"]),
            _number(clip["accuracy"]),
            _number(event["false_alarms_per_hour"], 1),
        )
        yield f"| {name} | {' | '.join(map(str, cells))} |"


def _precisions(manifest: Manifest) -> Iterator[str]:
    """A row for each graph that computes in another precision than the reference."""
    yield "## Other precisions"
    yield ""
    yield "What a token says through its own head, over labelled windows that the precision was not calibrated on:"
    yield ""
    yield "| precision | network | windows | AUC | AUC of the reference |"
    yield "|---|---|---|---|---|"
    for precision, costs in manifest.precisions.items():
        for name, cost in costs.items():
            yield f"| {precision} | {name} | {cost.windows} | {cost.auc:.4f} | {cost.auc_fp32:.4f} |"
    yield ""


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
