"""Scores: what the model thinks of windows, of all sources at once."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.judgement import calibrated
from export.runtime import Runtime
from models.spec import MODALITIES
from pipeline.route import Router
from pipeline.window import Window

CONDITIONS: Final = {
    "_".join(subset): subset for size in range(1, 1 + len(MODALITIES)) for subset in combinations(MODALITIES, size)
}
"""All that a source may have, by name: `video`, …, `video_audio`, …, `video_audio_text`."""
_Encode = Callable[[Any], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class ModalityScore:
    """What one sense says of a window."""

    present: bool
    """Whether there was anything to see, hear or read."""
    score: float | None
    """Calibrated anomaly probability by this sense alone; none when it is not present."""
    contribution: float | None
    """How much the calibrated logit falls without this sense; none when it is not present."""
    age_seconds: float | None
    """Since the window that its token was made of: 0 is this one; none when it is not present."""


_ABSENT = ModalityScore(False, None, None, None)


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model thinks of a window."""

    source: str
    session: int
    index: int
    start_seconds: float
    end_seconds: float
    origin: datetime
    """UTC at the source's 0 seconds."""
    closed_at: float
    """`time.monotonic()` when the window's last item had come."""
    anomaly: float
    """Calibrated probability that something is wrong."""
    threshold: float
    """From which on it counts as an anomaly."""
    classes: Mapping[str, float]
    """Probability of each kind of anomaly, if it is one."""
    modalities: Mapping[str, ModalityScore]
    text: str | None
    """The words read."""
    conditions: Mapping[str, float] = field(default_factory=dict)
    """Calibrated probability if the source had certain modalities only, by the names the scorer was given."""

    @property
    def is_anomaly(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.anomaly >= self.threshold

    @property
    def computed(self) -> frozenset[str]:
        """The modalities whose encoder ran over this window."""
        return frozenset(name for name, own in self.modalities.items() if own.age_seconds == 0)

    @property
    def label(self) -> str:
        """The likeliest kind of anomaly."""
        return max(self.classes, key=lambda label: self.classes[label])


@dataclass(frozen=True, slots=True, eq=False)
class _Remembered:
    """A window as fusion remembers it."""

    session: int
    index: int
    tokens: NDArray[np.float32]  # (M, D)
    present: NDArray[np.bool_]  # (M,)


class Scorer:
    """Runs a bundle over windows and remembers the last K of each source."""

    def __init__(
        self,
        runtime: Runtime,
        thresholds: Mapping[str, float] | None = None,
        conditions: Mapping[str, Sequence[str]] | None = None,
        router: Router | None = None,
    ) -> None:
        """Begins with no memory.

        Args:
            runtime: the model.
            thresholds: of sources that do not use the bundle's.
            conditions: modalities by the condition's name. Each window is judged with those alone, too, for which only
                fusion runs again: to measure, not to watch.
            router: says which tokens may be kept; without one everything is computed.
        """
        self._runtime, self._router = runtime, router
        self._thresholds = dict(thresholds or {})
        self._conditions = dict(conditions or {})
        leave_one_out = [[name for name in MODALITIES if name != left_out] for left_out in MODALITIES]
        kept = [MODALITIES, *leave_one_out, *self._conditions.values()]
        self._masks = np.array([[name in names for name in MODALITIES] for names in kept])  # (P, M)
        self._memory: dict[str, deque[_Remembered]] = {}

    def score(self, windows: Sequence[Window]) -> list[Scores]:
        """Scores windows of any sources; those of one source come in order."""
        if self._router is None:
            return self._score(windows, [dict.fromkeys(_parts(window), 0.0) for window in windows])
        found: dict[int, Scores] = {}
        for turn in _turns(windows):
            batch = [windows[place] for place in turn]
            scores = self._score(batch, [self._router.ages(window) for window in batch])
            for window, each in zip(batch, scores, strict=True):
                self._router.note(window, each.anomaly, each.threshold)
            found |= zip(turn, scores, strict=True)
        return [found[place] for place in range(len(windows))]

    def forget(self, source: str) -> None:
        """Drops a source's memory."""
        self._memory.pop(source, None)
        if self._router is not None:
            self._router.forget(source)

    def _score(self, windows: Sequence[Window], ages: Sequence[Mapping[str, float]]) -> list[Scores]:
        """Scores windows, of which tokens of an age are taken from the source's last window."""
        tokens, present = self._encode(windows, ages)
        past, there = zip(*map(self._remember, windows, tokens, present), strict=True)
        logits, classes, own = self._fuse(np.stack(past), np.stack(there))
        return list(map(self._scores, windows, ages, logits, classes, own))

    def _encode(
        self, windows: Sequence[Window], ages: Sequence[Mapping[str, float]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Tokens (B, M, D) and presence (B, M); an encoder runs only over windows that need it."""
        present = np.array([[name in each for name in MODALITIES] for each in ages])
        runtime = self._runtime
        tokens = np.zeros((*present.shape, runtime.spec.token_size), np.float32)
        encoders: dict[str, _Encode] = {"video": runtime.video, "audio": runtime.audio, "text": runtime.text}
        for m, name in enumerate(MODALITIES):
            new = [place for place, each in enumerate(ages) if each.get(name) == 0]
            for place in np.flatnonzero(present[:, m]).tolist():
                if place not in new:
                    tokens[place, m] = self._memory[windows[place].source][-1].tokens[m]
            if new:
                parts = [_parts(windows[place])[name] for place in new]
                tokens[new, m] = encoders[name](parts if name == "text" else np.stack(parts))
        return tokens, present

    def _remember(
        self, window: Window, tokens: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The last K windows (K, M, D) and (K, M), each in the place of its age; a new session starts anew."""
        context = self._runtime.spec.context
        memory = self._memory.setdefault(window.source, deque(maxlen=context))
        if memory and (memory[-1].session != window.session or memory[-1].index >= window.index):
            memory.clear()
        memory.append(_Remembered(window.session, window.index, tokens, present))
        past = np.zeros((context, *tokens.shape), np.float32)
        there = np.zeros((context, *present.shape), np.bool_)
        for remembered in memory:
            place = context - 1 - (window.index - remembered.index)
            if place >= 0:
                past[place], there[place] = remembered.tokens, remembered.present
        return past, there

    def _fuse(
        self, tokens: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Fusion under each of the P masks, in one batch.

        Returns:
            Calibrated logits (B, P), class probabilities (B, C), own probabilities (B, M).
        """
        batch, passes = len(tokens), len(self._masks)
        kept = present & self._masks[:, None, None]  # (P, B, K, M)
        judged = self._runtime.fusion(np.tile(tokens, (passes, 1, 1, 1)), kept.reshape(-1, *present.shape[1:]))
        now = kept[:, :, -1].reshape(-1, len(MODALITIES))
        joint, own = calibrated(self._runtime.bundle.manifest.calibration, judged, now)
        logits = joint.reshape(passes, batch).T
        return logits, _softmax(judged.classes[:batch].astype(np.float64)), _sigmoid(own[:batch])

    def _scores(
        self,
        window: Window,
        ages: Mapping[str, float],
        logits: NDArray[np.float64],
        classes: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> Scores:
        bundle, conditions_from = self._runtime.bundle, 1 + len(MODALITIES)
        contributions = logits[0] - logits[1:conditions_from]
        modalities = {
            name: ModalityScore(True, float(own[m]), float(contributions[m]), ages[name]) if name in ages else _ABSENT
            for m, name in enumerate(MODALITIES)
        }
        return Scores(
            source=window.source,
            session=window.session,
            index=window.index,
            start_seconds=window.start_seconds,
            end_seconds=window.end_seconds,
            origin=window.origin,
            closed_at=window.closed_at,
            anomaly=float(_sigmoid(logits[0])),
            threshold=self._thresholds.get(window.source, bundle.manifest.threshold),
            classes=dict(zip(bundle.spec.labels, map(float, classes), strict=True)),
            modalities=modalities,
            text=window.text,
            conditions=dict(zip(self._conditions, map(float, _sigmoid(logits[conditions_from:])), strict=True)),
        )


def _parts(window: Window) -> dict[str, Any]:
    """What there is for each encoder."""
    parts = {"video": window.frames, "audio": window.samples, "text": window.text or None}
    return {name: part for name, part in parts.items() if part is not None}


def _turns(windows: Sequence[Window]) -> list[list[int]]:
    """Places of the sources' first windows, then of their second ones …: routing one needs the last one's score."""
    turns: list[list[int]] = []
    seen = Counter[str]()
    for place, window in enumerate(windows):
        if seen[window.source] == len(turns):
            turns.append([])
        turns[seen[window.source]].append(place)
        seen[window.source] += 1
    return turns


def _sigmoid(logits: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
