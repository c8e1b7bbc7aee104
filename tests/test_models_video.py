"""R3D-18 beside torchvision's, and what the encoder makes of pictures."""

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor
from torchvision.models.video import r3d_18

from models.errors import WeightsError
from models.spec import Spec
from models.video import R3D, VideoEncoder, VideoInput, load_video_weights

SPEC = Spec(num_frames=4, frame_size=32, token_size=16)


def clip(*, moves: bool, seed: int = 0, batch: int = 1) -> Tensor:
    random = Generator().manual_seed(seed)
    shape = (batch, SPEC.num_frames if moves else 1, SPEC.frame_size, SPEC.frame_size, 3)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    return frames.expand(-1, SPEC.num_frames, -1, -1, -1)


def encoder(sees: VideoInput = "difference", seed: int = 0) -> VideoEncoder:
    torch.manual_seed(seed)
    return VideoEncoder(SPEC, 0.125, sees).eval()


def test_at_width_one_it_is_torchvisions_r3d_18() -> None:
    torch.manual_seed(0)
    theirs = r3d_18(weights=None).eval()
    ours = R3D(1, 3).eval()
    ours.load_state_dict({key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")})
    theirs.fc = torch.nn.Identity()
    small = torch.randn(1, 3, 4, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(ours(small), theirs(small), rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [0.125, 0.25])
def test_width_scales_every_layer(width: float) -> None:
    ours = R3D(width, 6)
    assert ours.stem[0].in_channels == 6
    assert ours.stem[0].out_channels == 64 * width
    assert [ours.get_submodule(f"layer{i}.1.conv2.0").out_channels for i in (1, 2, 3, 4)] == [
        channels * width for channels in (64, 128, 256, 512)
    ]
    assert ours.num_features == 512 * width


def test_differences_are_blind_to_any_still_picture() -> None:
    one, other = clip(moves=False, seed=1), clip(moves=False, seed=2)
    with torch.inference_mode():
        assert torch.equal(encoder()(one), encoder()(other))
        assert not torch.allclose(encoder()(one), encoder()(clip(moves=True)), atol=1e-3)


@pytest.mark.parametrize("sees", ["rgb", "both"])
def test_pictures_are_told_apart_standing_still(sees: VideoInput) -> None:
    one, other = clip(moves=False, seed=1), clip(moves=False, seed=2)
    with torch.inference_mode():
        assert not torch.allclose(encoder(sees)(one), encoder(sees)(other), atol=1e-3)


@pytest.mark.parametrize("sees", ["rgb", "difference", "both"])
def test_a_window_becomes_a_token_whatever_its_batch(sees: VideoInput) -> None:
    frames = clip(moves=True, batch=3)
    with torch.inference_mode():
        tokens = encoder(sees)(frames)
        assert tokens.shape == (3, SPEC.token_size)
        torch.testing.assert_close(encoder(sees)(frames[1:2]), tokens[1:2], rtol=1e-4, atol=1e-5)


def test_time_has_a_direction() -> None:
    frames = clip(moves=True)
    with torch.inference_mode():
        assert not torch.allclose(encoder()(frames), encoder()(frames.flip(1)), atol=1e-3)


def test_weights_come_from_a_file(tmp_path: Path) -> None:
    first, second = encoder(seed=1), encoder(seed=2)
    classifier = {"fc.weight": torch.zeros(400, 64), "fc.bias": torch.zeros(400)}
    torch.save(first.backbone.state_dict() | classifier, tmp_path / "r3d.pt")
    load_video_weights(second, str(tmp_path / "r3d.pt"))
    frames = clip(moves=True)
    with torch.inference_mode():
        assert torch.equal(first.features(frames), second.features(frames))


def test_random_leaves_the_weights_as_they_are() -> None:
    ours, before = encoder(), encoder().state_dict()
    load_video_weights(ours, "random")
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


def test_weights_that_are_not_there_are_named() -> None:
    with pytest.raises(WeightsError, match=r"video weights: nowhere\.pt: no such file or torchvision name; say"):
        load_video_weights(encoder(), "nowhere.pt")


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    torch.save(R3D(0.25, 3).state_dict(), tmp_path / "wide.pt")
    with pytest.raises(WeightsError, match=r"wide\.pt: made for another width or input; set video\.width"):
        load_video_weights(encoder(), str(tmp_path / "wide.pt"))


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    for content in (b"", b"not weights at all", b"PK\x03\x04 not a whole archive"):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"weights\.pt: not a state dict; name a file"):
            load_video_weights(encoder(), str(path))
    torch.save([torch.zeros(3)], path)
    with pytest.raises(WeightsError, match="not a state dict"):
        load_video_weights(encoder(), str(path))


def test_a_folder_is_no_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="Is a directory"):
        load_video_weights(encoder(), str(tmp_path))
