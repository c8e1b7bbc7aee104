"""R3D-18 clip encoder: what Heed sees."""

from pickle import UnpicklingError
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models import video as zoo
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet

from models.errors import WeightsError
from models.spec import Spec

VideoInput = Literal["rgb", "difference", "both"]

# Means and deviations of torchvision's Kinetics-400 weights, so that those weights fit.
_MEAN = (0.43216, 0.394666, 0.37645)
_STD = (0.22803, 0.22145, 0.216989)
# Differences between frames are mostly near zero: this scale gives them about unit deviation where something moves.
_DIFFERENCE_SCALE = 10.0


class R3D(VideoResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's R3D-18 with its channels multiplied by `width`; at width 1 and 3 channels it is torchvision's.

    Source: Tran et al., "A Closer Look at Spatiotemporal Convolutions", CVPR 2018; torchvision `r3d_18`.
    """

    def __init__(self, width: float, in_channels: int) -> None:
        self._width = width
        super().__init__(BasicBlock, [Conv3DSimple] * 4, [2, 2, 2, 2], BasicStem)
        if width != 1 or in_channels != 3:
            stem = round(64 * width)
            kernel: dict[str, Any] = {"kernel_size": (3, 7, 7), "stride": (1, 2, 2), "padding": (1, 3, 3)}
            first = nn.Conv3d(in_channels, stem, bias=False, **kernel)
            nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
            self.stem = nn.Sequential(first, nn.BatchNorm3d(stem), nn.ReLU())
        self.num_features = round(512 * width)
        self.fc = nn.Identity()

    def _make_layer(self, block: Any, conv_builder: Any, planes: int, blocks: int, stride: int = 1) -> nn.Sequential:
        if planes == 64:
            self.inplanes = round(64 * self._width)
        layer: nn.Sequential = super()._make_layer(block, conv_builder, round(planes * self._width), blocks, stride)
        return layer

    def maps(self, clip: Tensor) -> Tensor:
        """(B, C, T, H, W) to features of every place, (B, F, T / 8, H / 16, W / 16)."""
        x = self.layer3(self.layer2(self.layer1(self.stem(clip))))
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # torch 2.11 writes garbage into layer4's weight gradients under bf16 on the CPU.
            with torch.autocast("cpu", enabled=False):
                x = self.layer4(x.float())
        else:
            x = self.layer4(x)
        return x.float()  # type: ignore[no-any-return]

    def forward(self, clip: Tensor) -> Tensor:
        """(B, C, T, H, W) to features (B, F)."""
        return self.avgpool(self.maps(clip)).flatten(1)  # type: ignore[no-any-return]


class VideoEncoder(nn.Module):
    """Frames of a window to a token. Pre-processing is inside, so training and live cannot disagree."""

    def __init__(self, spec: Spec, width: float = 0.25, sees: VideoInput = "difference") -> None:
        super().__init__()
        self.sees = sees
        self.backbone = R3D(width, 6 if sees == "both" else 3)
        self.num_features = self.backbone.num_features
        self.projection = nn.Linear(self.num_features, spec.token_size)
        self.register_buffer("mean", torch.tensor(_MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(_STD), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def features(self, frames: Tensor) -> Tensor:
        """Frames, uint8 or float of 0 to 255, (B, T, H, W, 3), to features (B, F)."""
        return self.backbone(self._inputs(frames))  # type: ignore[no-any-return]

    def maps(self, frames: Tensor) -> Tensor:
        """The same frames to features of every place, (B, F, T / 8, H / 16, W / 16)."""
        return self.backbone.maps(self._inputs(frames))

    def _inputs(self, frames: Tensor) -> Tensor:
        unit = frames.float() / 255
        change = (unit[:, 1:] - unit[:, :-1]) * _DIFFERENCE_SCALE  # (B, T-1, H, W, 3)
        normal = (unit - self.mean) / self.std
        inputs = {"rgb": normal, "difference": change, "both": torch.cat([normal[:, 1:], change], dim=-1)}
        return inputs[self.sees].permute(0, 4, 1, 2, 3)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames uint8 (B, T, H, W, 3) to tokens (B, D)."""
        return self.projection(self.features(frames))  # type: ignore[no-any-return]


def load_video_weights(encoder: VideoEncoder, weights: str) -> None:
    """Fills the backbone.

    Args:
        encoder: Changed in place.
        weights: `random` leaves it as it is; a name of `torchvision.models.video.R3D_18_Weights` is downloaded; else a
            file of a state dict.

    Raises:
        WeightsError: `weights` is neither a known name nor a file, or made for another width or input.
    """
    if weights == "random":
        return
    state = {key: value for key, value in _read_state(weights).items() if not key.startswith("fc.")}
    try:
        encoder.backbone.load_state_dict(state)
    except RuntimeError:
        raise WeightsError(
            f"video weights: {weights}: made for another width or input; set video.width to match"
        ) from None


def _read_state(weights: str) -> dict[str, Tensor]:
    try:
        if weights in zoo.R3D_18_Weights.__members__:
            return dict(zoo.R3D_18_Weights[weights].get_state_dict(progress=True, check_hash=True))
        return dict(torch.load(weights, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise WeightsError(
            f"video weights: {weights}: no such file or torchvision name; say `random` to start anew"
        ) from None
    except OSError as error:
        raise WeightsError(f"video weights: {weights}: {error}; name a file, or say `random` to start anew") from None
    except (EOFError, RuntimeError, TypeError, ValueError, UnpicklingError):
        raise WeightsError(f"video weights: {weights}: not a state dict; name a file that `torch.save` wrote") from None
