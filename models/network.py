"""The four networks together, as they are trained and saved."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.audio import AudioEncoder
from models.errors import WeightsError
from models.fusion import Concatenation, Fusion
from models.plan import FusionKind
from models.spec import Spec
from models.storage import save_whole
from models.text import TextEncoder, load_bert, random_bert
from models.video import VideoEncoder, VideoInput, load_video_weights


@dataclass(frozen=True, slots=True)
class Architecture:
    """The numbers that make the networks, beside the spec."""

    video_width: float = 0.25
    """Channels of R3D-18 as a share of torchvision's: 1 is 33 M parameters, 0.25 is 2 M and a tenth of the work."""
    video_input: VideoInput = "difference"
    """What R3D-18 sees: pictures, differences between pictures, or both."""
    audio_hidden: int = 96
    """Width of the LSTM."""
    bert: dict[str, Any] = field(default_factory=dict)
    """`BertConfig`'s keys."""
    fusion_layers: int = 2
    fusion_heads: int = 4
    fusion_kind: FusionKind = "attention"


class Network(nn.Module):
    """Three encoders and their fusion."""

    def __init__(self, spec: Spec, architecture: Architecture, text: TextEncoder | None = None) -> None:
        super().__init__()
        self.spec, self.architecture = spec, architecture
        self.video = VideoEncoder(spec, architecture.video_width, architecture.video_input)
        self.audio = AudioEncoder(spec, architecture.audio_hidden)
        self.text = text or TextEncoder(spec, random_bert(architecture.bert))
        self.fusion: Fusion | Concatenation = (
            Concatenation(spec)
            if architecture.fusion_kind == "concatenation"
            else Fusion(spec, architecture.fusion_layers, architecture.fusion_heads)
        )


def begin_network(spec: Spec, architecture: Architecture, video_weights: str, text_weights: str) -> Network:
    """A network to train, its backbones begun from the named weights (`random` must be said).

    Raises:
        WeightsError: weights are not to be had, or do not fit the architecture.
    """
    if text_weights == "random":
        network = Network(spec, architecture)
    else:
        bert = load_bert(text_weights)
        config = {key: value for key, value in bert.config.to_diff_dict().items() if key in _BERT_KEYS}
        architecture = Architecture(**{**_fields(architecture), "bert": config})
        network = Network(spec, architecture, TextEncoder(spec, bert))
    load_video_weights(network.video, video_weights)
    return network


def begin_from(network: Network, other: Network) -> None:
    """Takes the weights of another network, of its fusion too if it is of the same kind.

    Raises:
        WeightsError: the encoders are of other sizes.
    """
    state = other.state_dict()
    if _shapes(other.fusion) != _shapes(network.fusion):
        own = {key: value for key, value in network.state_dict().items() if key.startswith("fusion.")}
        heads = {key: value for key, value in state.items() if key.startswith("fusion.heads.")}
        state = {key: value for key, value in state.items() if not key.startswith("fusion.")} | own | heads
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise WeightsError("train: begin: the run's networks are of other sizes; give the recipe its sizes") from None


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in module.state_dict().items()}


_BERT_KEYS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    *("hidden_act", "layer_norm_eps", "max_position_embeddings", "type_vocab_size"),
)


def _fields(architecture: Architecture) -> dict[str, Any]:
    return {name: getattr(architecture, name) for name in Architecture.__slots__}


def save_network(network: Network, path: Path) -> None:
    """Writes spec, architecture and weights.

    Raises:
        StorageError: the file cannot be written; what was there before still is.
    """
    architecture = _fields(network.architecture)
    save_whole(path, {"spec": network.spec.to_json(), "architecture": architecture, "state": network.state_dict()})


def load_network(path: Path) -> Network:
    """Reads what `save_network` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: its networks are those of another version.
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    try:
        network = Network(Spec.from_json(saved["spec"]), Architecture(**saved["architecture"]))
        network.load_state_dict(saved["state"])
    except (RuntimeError, TypeError, ValueError):
        raise WeightsError(f"run: {path}: holds networks of another version; train again") from None
    return network.eval()
