"""What `heed train` is told, and how it is read."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from models.errors import RecipeError
from models.plan import AudioPlan, Data, EncoderPlan, FlowPlan, FusionPlan, Plan, Section, TextPlan, VideoPlan
from models.spec import Spec


class Recipe(Section):
    """All of a recipe's TOML file."""

    name: str = "heed"
    seed: int = 0
    validation: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of the recordings kept aside for calibration and threshold."""
    folds: int = Field(default=0, ge=0)
    """Cross-validation: so many parts of about as many windows of each label, by recording; 0 is one random part."""
    fold: int = Field(default=0, ge=0)
    """Which of them is kept aside, from 0."""
    begin: Path | None = None
    """A finished run whose networks this one begins with."""
    refit: Path | None = None
    """A finished run of this recipe, or the folder of several seeds or folds: this one learns from what they kept
    aside, too, and is calibrated by what they said of it."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of R3D-18's training. (Its last layer stays in fp32 on the CPU.)"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    false_alarm_share: float = Field(default=0.02, gt=0, lt=1)
    """The threshold is set so that at most this share of ordinary validation windows reaches it."""
    prior: float = Field(default=0.15, gt=0, lt=1)
    """Share of anomalous windows that probabilities are made for: about what files of `heed compose` have."""
    labels: tuple[str, ...] = Spec().labels
    """Kinds of anomaly; rows with any other label are left out."""
    data: tuple[Data, ...] = ()
    test: tuple[Path, ...] = ()
    """Labels files that training must not see: none of their files and groups may be in what is learned from."""
    video: VideoPlan = VideoPlan()
    audio: AudioPlan = AudioPlan()
    text: TextPlan = TextPlan()
    fusion: FusionPlan = FusionPlan()

    @model_validator(mode="after")
    def _fold_exists(self) -> "Recipe":
        if self.folds == 1 or self.fold >= max(self.folds, 1):
            raise ValueError(f"fold {self.fold} of {self.folds}: there must be two folds or more, counted from 0")
        return self

    @property
    def materials(self) -> tuple[Data | FlowPlan, ...]:
        """What is learned from."""
        flow = self.video.flow
        return (*self.data, *((flow,) if flow.labels and flow.epochs else ()))

    @property
    def spec(self) -> Spec:
        """What the networks take and give."""
        return Spec(frame_size=self.video.size, context=self.fusion.context, labels=self.labels)

    @property
    def encoders(self) -> dict[str, EncoderPlan]:
        """The plan of each modality's encoder."""
        return {"video": self.video, "audio": self.audio, "text": self.text}

    def after(self, runs: Path) -> "Recipe":
        """The same, learning from everything: taught and calibrated by a folder of runs that each kept a part aside."""
        taught = {
            name: plan.model_copy(update={"teachers": (*plan.teachers, runs)}) for name, plan in self.encoders.items()
        }
        return self.model_copy(update={"refit": runs, "folds": 0, "fold": 0, **taught})


def read_recipe(path: Path, data: Path | None = None, changes: Sequence[str] = ()) -> Recipe:
    """Reads a recipe; its files' paths become absolute.

    Args:
        path: of the TOML file.
        data: what its files are relative to, if not to the recipe.
        changes: `key.key=value` each, as the file would have them.

    Raises:
        RecipeError: the file is missing, is not TOML, or has an unknown or wrong key.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"recipe: {path}: {error.strerror}; name an existing file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe: {path}: not TOML: {error}; mend the file") from None
    return make_recipe(written, path, data or path.parent, changes)


def make_recipe(written: dict[str, Any], path: Path, root: Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe out of its keys.

    Args:
        written: the keys.
        path: where they are from, for messages.
        root: what its files are relative to.
        changes: `key.key=value` each.

    Raises:
        RecipeError: a key is unknown or wrong.
    """
    for change in changes:
        _change(written, change)
    try:
        recipe = Recipe.model_validate(written)
    except ValidationError as error:
        raise RecipeError(f"recipe: {path}: {'; '.join(map(_complaint, error.errors()))}") from None
    if not recipe.data:
        raise RecipeError(f"recipe: {path}: no [[data]]; name at least one labels file")
    located = tuple(entry.model_copy(update={"labels": (root / entry.labels).resolve()}) for entry in recipe.data)
    test = tuple((root / path).resolve() for path in recipe.test)
    encoders = {
        "video": _located(recipe.video, root, flow=_with_path(recipe.video.flow, "labels", root)),
        "audio": _located(recipe.audio, root, teacher=_with_path(recipe.audio.teacher, "weights", root)),
        "text": _located(recipe.text, root),
    }
    runs = {key: path and (root / path).resolve() for key, path in (("begin", recipe.begin), ("refit", recipe.refit))}
    return recipe.model_copy(update={"data": located, "test": test, **encoders, **runs})


def _change(written: dict[str, Any], change: str) -> None:
    """Sets a key as `change` has it; what is no TOML value is a text."""
    key, mark, value = change.partition("=")
    *tables, last = key.strip().split(".")
    if not mark or not last:
        raise RecipeError(f"recipe: --set {change}: not KEY=VALUE; write, for example, --set video.epochs=8")
    for table in tables:
        written = written.setdefault(table, {})
        if not isinstance(written, dict):
            raise RecipeError(f"recipe: --set {change}: {table} is no table; name another key")
    try:
        written[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        written[last] = value


def _located(plan: EncoderPlan, root: Path, **lesson: Plan) -> EncoderPlan:
    teachers = tuple((root / path).resolve() for path in plan.teachers)
    return plan.model_copy(update={"teachers": teachers, **lesson})


def _with_path(lesson: Plan, key: str, root: Path) -> Plan:
    path: Path | None = getattr(lesson, key)
    return lesson.model_copy(update={key: path and (root / path).resolve()})


def _complaint(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    said = "no such key" if detail["type"] == "extra_forbidden" else detail["msg"].removeprefix("Value error, ")
    return f"{key}: {said}" if key else said
