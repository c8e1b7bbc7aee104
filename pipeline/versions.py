"""What runs here: what figures and times depend on, beside the model."""

import platform
from importlib.metadata import version

import av
import onnxruntime


def versions() -> dict[str, str]:
    """Names and versions of Heed, of what it stands on, and of the machine."""
    return {
        "heed": version("heed"),
        "Python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "PyAV": av.__version__,
        "FFmpeg": av.ffmpeg_version_info,
        "ONNX Runtime": onnxruntime.__version__,
    }
