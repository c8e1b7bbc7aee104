"""Takes the pictures of the page for the README: `python docs/page.py [FOLDER]`, with Chromium and `heed[dev]`.

Scenes are drawn (or taken from the folder, where an earlier run has left them), watched at their own pace and shown.
"""

import base64
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "tests"))

from browser import Browser, browser  # noqa: E402
from conftest import BUNDLED, RedisServer  # noqa: E402

from pipeline.scene import demo_scene, random_scene, render  # noqa: E402

HEED = str(Path(sys.executable).with_name("heed"))
PORT = 8779
SHOTS = (
    # file, width, height, is a phone, theme, seconds before, what is clicked
    ("page-dark.webp", 1320, 720, False, "dark", 50, ""),
    ("page-light.webp", 1320, 860, False, "light", 0, ".thumb:not(:has(.play[hidden]))"),
    ("page-phone.webp", 390, 780, True, "dark", 0, '#views [data-view="events"]'),
)


def main() -> None:
    """Draws, watches, shoots."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = Path(sys.argv[1]) if len(sys.argv) > 1 else folder
        scenes = {"street": demo_scene(), "market": random_scene(1, 70), "depot": random_scene(2, 70)}
        toml = ""
        for source, scene in scenes.items():
            path = drawn / f"{source}.mkv"
            if not path.exists():
                render(scene, path)
            toml += f'[[source]]\nname = "{source}"\nurl = "{path}"\npace = "live"\n\n'
        (folder / "heed.toml").write_text(toml)
        with RedisServer(BUNDLED, folder) as redis, browser(folder / "profile") as tab:
            shared = ["--redis", redis.url, "--state", str(folder / "state")]
            serve = [HEED, "serve", "--port", str(PORT), *shared]
            watch = [HEED, "watch", "--config", str(folder / "heed.toml"), *shared]
            with subprocess.Popen(serve) as serving, subprocess.Popen(watch) as watching:  # noqa: S603
                try:
                    shoot(tab)
                finally:
                    watching.terminate()
                    serving.terminate()


def shoot(tab: Browser) -> None:
    """Takes the pictures."""
    for file, width, height, is_phone, theme, seconds, clicked in SHOTS:
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if is_phone else 1, "mobile": is_phone}
        tab.call("Emulation.setDeviceMetricsOverride", **size)
        tab.call("Emulation.setScrollbarsHidden", hidden=True)
        tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        time.sleep(seconds)
        tab.open(f"http://127.0.0.1:{PORT}/")
        if clicked:
            tab.click(clicked)
        time.sleep(4)
        picture = tab.call("Page.captureScreenshot", format="webp", quality=82)["data"]
        (FOLDER / file).write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    main()
