"""Hardware that decodes pictures, for who asks for it."""

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from pipeline.config import Decoder


def open_hardware(wanted: Decoder) -> HWAccel | None:
    """The hardware to decode on; none: there is none of this kind here, or it is the processor that is wanted."""
    known = hwdevices_available()
    for kind in known if wanted == "auto" else [wanted]:
        if kind in known and _opens(kind):
            return HWAccel(kind, allow_software_fallback=True)
    return None


def _opens(kind: str) -> bool:
    """Whether the device is there: FFmpeg names every kind that it was built for."""
    try:
        context = av.CodecContext.create("h264", "r", hwaccel=HWAccel(kind))
    except av.FFmpegError:
        return False
    return context.is_hwaccel
