"""How far sound and picture run apart within a session."""

from typing import Final

TOLD_SECONDS: Final = 0.5
"""A drift that is told."""
_SPAN_SECONDS: Final = 10.0
"""Of the source's clock, over which the lead is averaged: packets come in bursts."""
_SPREAD_SECONDS: Final = 1.0
"""A lead that changes more within a span is a hole in one of the tracks, no drift."""


class Drift:
    """Compares how far the picture is ahead of the sound, when both have come, with how far it was at first."""

    def __init__(self) -> None:
        self._first_seconds: float | None = None
        self._until_seconds = _SPAN_SECONDS
        self._leads: list[float] = []

    def push(self, picture_seconds: float, sound_seconds: float) -> float | None:
        """How much further ahead the picture is than at first, at the end of a span in which that can be told.

        Args:
            picture_seconds: end of what was seen so far, on the source's clock.
            sound_seconds: end of what was heard so far.
        """
        self._leads.append(picture_seconds - sound_seconds)
        now_seconds = max(picture_seconds, sound_seconds)
        if now_seconds < self._until_seconds:
            return None
        leads, self._leads = self._leads, []
        self._until_seconds = now_seconds + _SPAN_SECONDS
        if max(leads) - min(leads) > _SPREAD_SECONDS:
            return None
        lead_seconds = sum(leads) / len(leads)
        if self._first_seconds is None:
            self._first_seconds = lead_seconds
        return lead_seconds - self._first_seconds
