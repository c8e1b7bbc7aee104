"""Whether the sense that is said to carry an anomaly is the one that shows it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from models.spec import MODALITIES
from pipeline.reasons import Reasons, defined, share
from pipeline.scored import ScoredRow


def attribution(rows: Sequence[ScoredRow], threshold: float, reasons: Reasons) -> dict[str, Any] | None:
    """Of the detected anomalies that one sense shows: how often it has the largest contribution.

    An anomaly is detected when a window of its row is at or over the threshold; the window with the highest score is
    asked.

    Args:
        rows: all rows with their windows.
        threshold: at or over it a window is an anomaly.
        reasons: gets the reason for each figure that is None.
    """
    shown = [(row.modality, found) for row, found in rows if not row.is_normal and row.modality in MODALITIES]
    if not shown:
        reasons["attribution"] = "no anomaly row names one modality"
        return None
    peaks = [(modality, max(found, key=lambda window: window.score)) for modality, found in shown]
    detected = [(modality, peak.carrier) for modality, peak in peaks if peak.score >= threshold]
    by_modality = {
        name: _right([pair for pair in detected if pair[0] == name], f"attribution.by_modality.{name}", reasons)
        for name in MODALITIES
    }
    return {**_right(detected, "attribution", reasons), "by_modality": by_modality}


def _right(pairs: Sequence[tuple[str | None, str | None]], key: str, reasons: Reasons) -> dict[str, Any]:
    right = sum(modality == carrier for modality, carrier in pairs)
    return {
        "n": len(pairs),
        "right": right,
        "share": defined(partial(share, right, len(pairs), "no such anomaly detected"), f"{key}.share", reasons),
    }
