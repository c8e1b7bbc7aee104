"""What engine and camera process say to each other about evidence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """What the engine knows of an event by now."""

    id: str
    """Of its alerts."""
    session: int
    """The connection that it was seen in."""
    start_seconds: float
    """On the clock of the session."""
    until_seconds: float
    """It goes on until here at least; and no further, if it is over."""
    is_over: bool
    peak_seconds: float
    """Middle of its highest window."""
    caption: str
    """What is written below the snapshot."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the camera process has written of an event."""

    source: str
    id: str
    clip: str | None
    """Path below the folder of evidence; none until the clip is whole, and if there is none."""
    snapshot: str | None
    """The same for the picture."""
    is_final: bool
    """Whether nothing more will come."""
    problem: str
    """Why something is missing, or is not as the source had it; else empty."""
