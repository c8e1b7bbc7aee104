"""BERT beside transformers' own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, BertConfig, BertModel

from models.errors import WeightsError
from models.network import Architecture, begin_network, load_network, save_network
from models.spec import Spec
from models.text import PACKAGED, TextEncoder, find_bert, find_tokenizer, load_bert, random_bert

SPEC = Spec(token_size=16)
LINES = ["Good morning, Ann.", "Put the money in the bag, now, or I swear that I will shoot you!", ""]
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


def words() -> tuple[Tensor, Tensor]:
    """As transformers itself reads the lines."""
    read = AutoTokenizer.from_pretrained(find_bert(PACKAGED))(LINES, padding=True, return_tensors="pt")
    return read["input_ids"], read["attention_mask"]


def test_the_packaged_bert_is_transformers_own_with_mean_pooling() -> None:
    token_ids, mask = words()
    theirs = BertModel.from_pretrained(find_bert(PACKAGED), add_pooling_layer=False).eval()
    ours = TextEncoder(SPEC, load_bert(PACKAGED)).eval()
    with torch.inference_mode():
        states = theirs(input_ids=token_ids, attention_mask=mask).last_hidden_state
        means = torch.stack(
            [row[: int(length)].mean(dim=0) for row, length in zip(states, mask.sum(dim=1), strict=True)]
        )
        torch.testing.assert_close(ours.features(token_ids, mask), means, rtol=0, atol=1e-5)
        assert ours(token_ids, mask).shape == (3, SPEC.token_size)


def test_padding_says_nothing() -> None:
    token_ids, mask = words()
    torch.manual_seed(0)
    encoder = TextEncoder(SPEC, random_bert(SIZES)).eval()
    with torch.inference_mode():
        tokens = encoder(token_ids, mask)
        longer = encoder(torch.nn.functional.pad(token_ids, (0, 9), value=77), torch.nn.functional.pad(mask, (0, 9)))
    torch.testing.assert_close(longer, tokens, rtol=0, atol=1e-5)


def test_a_name_that_leads_nowhere_is_named() -> None:
    with pytest.raises(WeightsError, match="text weights: nobody/no-such-bert: no such folder, and no hub has it"):
        load_bert("nobody/no-such-bert")
    with pytest.raises(WeightsError, match=r"text weights: nobody/no-such-bert: no tokenizer\.json there"):
        find_tokenizer("nobody/no-such-bert")


def test_a_folder_without_a_whole_bert_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such folder, and no hub has it"):
        load_bert(str(tmp_path))
    BertConfig(**SIZES, vocab_size=100).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match="not a whole BERT; name another folder"):
        load_bert(str(tmp_path))


def test_random_weights_read_with_the_packaged_tokenizer() -> None:
    assert find_tokenizer("random") == Path(find_bert(PACKAGED)) / "tokenizer.json"


def test_a_folders_own_tokenizer_is_taken(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    assert find_tokenizer(str(tmp_path)) == tmp_path / "tokenizer.json"


def test_sizes_that_do_not_go_together_are_named() -> None:
    with pytest.raises(WeightsError, match=r"text weights: random: .*; mend text\.bert"):
        random_bert(SIZES | {"num_attention_heads": 3})


def test_a_bert_of_another_kind_is_saved_as_it_is(tmp_path: Path) -> None:
    kind: dict[str, Any] = {
        "hidden_act": "relu",
        "layer_norm_eps": 1e-3,
        "max_position_embeddings": 40,
        "vocab_size": 200,
    }
    torch.manual_seed(0)
    BertModel(BertConfig(**(SIZES | kind))).save_pretrained(tmp_path / "bert")
    network = begin_network(SPEC, Architecture(video_width=0.125), "random", str(tmp_path / "bert")).eval()
    save_network(network, tmp_path / "network.pt")
    token_ids = torch.arange(30)[None]
    with torch.inference_mode():
        expected = network.text(token_ids, torch.ones_like(token_ids))
        found = load_network(tmp_path / "network.pt").text(token_ids, torch.ones_like(token_ids))
    assert torch.equal(found, expected)
