"""What the networks take and give: sizes, rates and label names. The only part of `models` the live path imports."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

MODALITIES: Final = ("video", "audio", "text")
"""Order of the modality axis M of every token, mask and score."""

NORMAL: Final = "normal"
"""The label of everything that is not an anomaly."""

NOTHING: Final = -3.0
"""Logit of late fusion for a window in which there is nothing to see, hear or read: ordinary, most likely."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Everything a window, the four graphs and a bundle must agree on."""

    window_seconds: float = 2.0
    """Length of a window."""
    stride_seconds: float = 1.0
    """Distance between the starts of two windows."""
    num_frames: int = 16
    """T: pictures in a window, one for each equal cell of time."""
    frame_size: int = 80
    """H and W: the whole picture, squeezed to a square, in pixels."""
    sample_rate: int = 16_000
    """Sound, mono, in Hz."""
    num_tokens: int = 64
    """L: most word pieces read from a window's text."""
    context: int = 8
    """K: windows the fusion network looks at, the present one last."""
    token_size: int = 256
    """D: width of the token each encoder makes of a window."""
    labels: tuple[str, ...] = ("fight", "gun_shot", "glass_break", "siren", "crying_baby", "fire", "threat")
    """Kinds of anomaly, in the order of the class logits. `normal` is not among them."""

    @property
    def num_samples(self) -> int:
        """S: samples of sound in a window."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def frame_rate(self) -> float:
        """Pictures a second that a window takes."""
        return self.num_frames / self.window_seconds

    def to_json(self) -> dict[str, Any]:
        """The spec as `bundle.json` holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Spec":
        """The spec out of a `bundle.json`.

        Raises:
            ValueError: a key is missing or not one of a spec's.
        """
        names = {field.name for field in fields(cls)}
        if missing := sorted(names - data.keys()):
            raise ValueError(f"spec: {', '.join(missing)} missing")
        if unknown := sorted(data.keys() - names):
            raise ValueError(f"spec: {', '.join(unknown)} not known to this version")
        return cls(**{**data, "labels": tuple(data["labels"])})
