"""Networks that begin with the weights of others."""

from pathlib import Path

import pytest
import torch
from tiny import BERT
from torch import Tensor

from models.errors import WeightsError
from models.fusion import Concatenation
from models.network import Architecture, Network, begin_from, load_network, save_network
from models.spec import Spec
from models.train import read_run

SPEC = Spec(frame_size=32)


def network(seed: int, *, spec: Spec = SPEC, **changes: object) -> Network:
    torch.manual_seed(seed)
    sizes = {"video_width": 0.125, "audio_hidden": 16, "bert": BERT, "fusion_layers": 1, "fusion_heads": 2}
    return Network(spec, Architecture(**{**sizes, **changes}))  # type: ignore[arg-type]


def state(of: Network) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in of.state_dict().items()}


def test_a_network_of_the_same_kind_is_taken_whole() -> None:
    begun, other = network(0), network(1)
    begin_from(begun, other)
    expected = state(other)
    assert all(torch.equal(value, expected[key]) for key, value in begun.state_dict().items())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"fusion_kind": "concatenation"}, id="another kind"),
        pytest.param({"fusion_layers": 2}, id="more layers"),
        pytest.param({"spec": Spec(frame_size=32, context=4)}, id="fewer windows"),
    ],
)
def test_of_another_fusion_only_the_heads_of_modalities_are_taken(changes: dict[str, object]) -> None:
    begun, other = network(0, **changes), network(1)  # type: ignore[arg-type]
    own, expected = state(begun), state(other)
    begin_from(begun, other)
    for key, value in begun.state_dict().items():
        is_own = key.startswith("fusion.") and not key.startswith("fusion.heads.")
        assert torch.equal(value, (own if is_own else expected)[key]), key
    assert isinstance(begun.fusion, Concatenation) is (changes == {"fusion_kind": "concatenation"})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"video_width": 0.25}, id="wider pictures"),
        pytest.param({"audio_hidden": 8}, id="narrower sound"),
        pytest.param({"bert": BERT | {"num_hidden_layers": 2}}, id="deeper text"),
        pytest.param({"spec": Spec(frame_size=32, labels=("fight",))}, id="other labels"),
    ],
)
def test_encoders_of_other_sizes_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="train: begin: the run's networks are of other sizes; give the recipe its"):
        begin_from(network(0, **changes), network(1))  # type: ignore[arg-type]


def test_pictures_may_be_of_another_size() -> None:
    begin_from(network(0, spec=Spec(frame_size=64)), network(1))


def test_a_network_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = network(0, fusion_kind="concatenation")
    save_network(saved, tmp_path / "network.pt")
    found = load_network(tmp_path / "network.pt")
    assert (found.spec, found.architecture) == (saved.spec, saved.architecture)
    expected = state(saved)
    assert all(torch.equal(value, expected[key]) for key, value in found.state_dict().items())


@pytest.mark.parametrize("part", ["state", "architecture", "spec"])
def test_networks_of_another_version_are_told(tmp_path: Path, part: str) -> None:
    path = tmp_path / "network.pt"
    save_network(network(0), path)
    saved = torch.load(path, weights_only=True)
    torch.save({**saved, part: {**saved[part], "smell": torch.zeros(1)}}, path)
    for read in (lambda: load_network(path), lambda: read_run(tmp_path)):
        with pytest.raises(WeightsError, match=r"run: .*network\.pt: holds networks of another version; train again"):
            read()
