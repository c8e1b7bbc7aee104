"""What `heed demo` knows while it runs, and what it makes of it in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from alerts.alert import Alert
from models.spec import NORMAL
from pipeline.scene import Act, Scene
from pipeline.score import Scores
from pipeline.window import Window

NUM_WINDOWS: Final = 40
"""Windows that the trace of scores goes back."""
SLACK_SECONDS: Final = 2.0
"""An alert this much before or after an act still belongs to it: that is the length of a window."""
SENSES: Final = {"video": "seen", "audio": "heard", "text": "read"}
"""How each modality is called on the screen."""


@dataclass(frozen=True, slots=True)
class Received:
    """An alert, and when it came."""

    alert: Alert
    at_seconds: float
    """On the scene's clock: the end of the newest window."""


@dataclass(frozen=True, slots=True)
class DemoState:
    """All that the view shows."""

    scene: Scene
    """What is really going on."""
    window: Window | None = None
    """The newest."""
    scores: tuple[Scores, ...] = ()
    """Of the newest windows, the last one newest."""
    line: str = ""
    """The words read last."""
    received: tuple[Received, ...] = ()
    """Every alert so far."""
    origin: datetime | None = None
    """UTC at the scene's 0 seconds, once known."""

    @property
    def seconds(self) -> float:
        """How far the scene is."""
        return self.window.end_seconds if self.window else 0.0


@dataclass(frozen=True, slots=True)
class Story:
    """The alerts of one anomaly."""

    label: str
    """Its newest label."""
    noticed_seconds: Mapping[str, float]
    """Every label it had, and when it was first told so."""
    score: float
    sense: str
    """`seen`, `heard` or `read`: what told most."""
    start_seconds: float
    """On the scene's clock."""
    end_seconds: float | None
    """None while it lasts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one scripted anomaly."""

    act: Act
    story: Story | None
    """The alert of the right kind, if there was one, else any that came meanwhile."""

    @property
    def is_found(self) -> bool:
        """Whether an alert named it rightly."""
        return self.story is not None and self.act.label in self.story.noticed_seconds

    @property
    def delay_seconds(self) -> float | None:
        """From the act's start to the first alert that names it."""
        noticed = self.story.noticed_seconds.get(self.act.label) if self.story else None
        return None if noticed is None else noticed - self.act.start_seconds


def with_window(state: DemoState, window: Window, scores: Scores) -> DemoState:
    """The state after a window was scored."""
    return replace(
        state,
        window=window,
        scores=(*state.scores, scores)[-NUM_WINDOWS:],
        line=window.text or state.line,
        origin=scores.origin,
    )


def with_alert(state: DemoState, alert: Alert) -> DemoState:
    """The state after an alert came."""
    return replace(state, received=(*state.received, Received(alert, state.seconds)))


def stories(state: DemoState) -> list[Story]:
    """The alerts so far, those of one anomaly together, in the order they began."""
    together: dict[str, list[Received]] = {}
    for one in state.received:
        together.setdefault(one.alert.id, []).append(one)
    return [_story(steps, state.origin or steps[0].alert.started_at) for steps in together.values()]


def _story(steps: list[Received], origin: datetime) -> Story:
    last, start = steps[-1].alert, steps[0].alert.started_at
    return Story(
        label=last.label,
        noticed_seconds={step.alert.label: step.at_seconds for step in reversed(steps)},
        score=last.score,
        sense=sense_of(last),
        start_seconds=(start - origin) / timedelta(seconds=1),
        end_seconds=(last.ended_at - origin) / timedelta(seconds=1) if last.ended_at else None,
    )


def sense_of(alert: Alert) -> str:
    """`seen`, `heard` or `read`: the modality that adds most to the score."""

    def weight(name: str) -> tuple[float, float]:
        modality = getattr(alert.modalities, name)
        return modality.contribution or 0.0, modality.score or 0.0

    return SENSES[max(SENSES, key=weight)]


def outcomes(state: DemoState) -> list[Outcome]:
    """What became of every scripted anomaly."""
    told = stories(state)
    made = []
    for act in state.scene.acts:
        if act.label != NORMAL:
            meanwhile = [story for story in told if _overlaps(story, act, state.seconds)]
            right = [story for story in meanwhile if act.label in story.noticed_seconds]
            made.append(Outcome(act, next(iter(right or meanwhile), None)))
    return made


def false_alarms(state: DemoState) -> list[Story]:
    """The anomalies told that begin while nothing is wrong by the script."""
    wrong = [act for act in state.scene.acts if act.label != NORMAL]
    return [story for story in stories(state) if not any(_begins_in(story, act) for act in wrong)]


def _overlaps(story: Story, act: Act, now: float) -> bool:
    end = now if story.end_seconds is None else story.end_seconds
    return story.start_seconds < act.end_seconds + SLACK_SECONDS and end > act.start_seconds - SLACK_SECONDS


def _begins_in(story: Story, act: Act) -> bool:
    return act.start_seconds - SLACK_SECONDS <= story.start_seconds < act.end_seconds + SLACK_SECONDS


def has_passed(state: DemoState) -> bool:
    """Whether every scripted anomaly was named and nothing else raised an alarm."""
    return all(outcome.is_found for outcome in outcomes(state)) and not false_alarms(state)
