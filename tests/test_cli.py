"""The command line: what it says and how it exits."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import written
from media_files import corrupt, write_media

from pipeline.cli import app, main

PASSWORD = "hunter2-secret"  # noqa: S105 - the one that must never be seen
LINE = re.compile(r"^heed: \w+: .+: .+; .+\n$")
"""What: where; what to do."""


@dataclass
class Result:
    """How a command ended."""

    exit_code: int
    out: str
    err: str


Heed = Callable[..., Result]


@pytest.fixture
def heed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Heed:
    """Runs a command line here. What its camera processes write is caught too."""

    def run(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["heed", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        assert PASSWORD not in said.out + said.err
        return Result(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (["watch"], 2, "watch: no source; name a file or URL, or a --config with [[source]]"),
        (["watch", "a.mp4", "--pace", "fast"], 2, "options: --pace fast: Input should be 'auto' or 'live'"),
        (["watch", "a.mp4", "--provider", "gpu"], 2, "options: --provider: Input should be 'auto', 'cpu'"),
        (["watch", "--config", "none.toml"], 2, "config: none.toml: No such file or directory; name an existing file"),
        (["watch", "a.mp4", "--bundle", "none"], 1, "bundle: none: No such file or directory; name a folder that"),
        (["subscribe", "--redis", f"http://:{PASSWORD}@a"], 1, "redis: not a Redis URL; write redis://"),
        (["train", "a.toml", "--out", "run", "--seeds", "0,a"], 2, "train: --seeds 0,a: not whole numbers; write them"),
        (["train", "a.toml", "--out", "run", "--seeds", "1,1"], 2, "train: --seeds 1,1: fewer than two, or one twice;"),
        (["train", "a.toml", "--out", "run", "--seeds", "0,1", "--folds", "2"], 2, "train: --folds and --seeds: both;"),
        (["evaluate", "none.csv"], 2, "labels: none.csv: No such file or directory; name an existing CSV file"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(heed: Heed, words: list[str], exit_code: int, said: str) -> None:
    result = heed(*words)
    assert (result.exit_code, result.out) == (exit_code, "")
    assert result.err.startswith(f"heed: {said}")
    assert result.err.count("\n") == 1


def test_each_fold_is_a_run_of_its_own(heed: Heed, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("It is a text.")
    (tmp_path / "labels.csv").write_text("path,start_seconds,end_seconds,label\ntext.mp4,,,fight\n")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[[data]]\nlabels = "labels.csv"\n')
    result = heed("train", str(recipe), "--out", str(tmp_path / "runs"), "--seed", "7", "--folds", "3")
    assert "no file could be used" in result.err
    begun = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("runs/*/recipe.json"))]
    assert [(run["seed"], run["folds"], run["fold"]) for run in begun] == [(7, 0, 0), (7, 3, 0), (7, 3, 1), (7, 3, 2)]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[engine]\ntreads = 2\n", "engine.treads: no such key"),
        (f'[[source]]\nname = "gate"\nur = "rtsp://u:{PASSWORD}@h"\n', "source.0.url: Field required; source.0.ur: no"),
        ("[engine\n", "not TOML"),
    ],
)
def test_a_wrong_key_is_named(heed: Heed, tmp_path: Path, toml: str, said: str) -> None:
    path = written(tmp_path / "heed.toml", toml)
    result = heed("watch", "--config", path)
    assert result.exit_code == 2
    assert result.err.startswith(f"heed: config: {path}: {said}")
    assert LINE.match(result.err)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("path,start_seconds,label\n", "line 1: no column end_seconds"),
        ("path,start_seconds,end_seconds,label\nclip.mp4,-1,2,fight\n", "line 2: start_seconds -1 is negative"),
        ("path,start_seconds,end_seconds,label\nnone.mp4,,,fight\n", "line 2: "),
    ],
)
def test_wrong_labels_are_told_by_their_line_and_nothing_is_written(
    heed: Heed, tmp_path: Path, clip: Path, tiny_bundle: Path, rows: str, said: str
) -> None:
    shutil.copy(clip, tmp_path / "clip.mp4")
    path = written(tmp_path / "labels.csv", rows)
    result = heed("evaluate", path, "--bundle", tiny_bundle, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.err.startswith(f"heed: labels: {path}: {said}")
    assert LINE.match(result.err)
    assert not (tmp_path / "out").exists()


def test_a_bundle_with_a_flipped_byte_is_refused(heed: Heed, tmp_path: Path, tiny_bundle: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    data = bytearray((bundle / "audio.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "audio.onnx").write_bytes(data)
    result = heed("watch", "a.mp4", "--bundle", bundle)
    assert result.exit_code == 1
    assert result.err.startswith(f"heed: bundle: {bundle}/audio.onnx: sha256 is ")
    assert LINE.match(result.err)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_frames": 8}, r"video.onnx: takes \[16, 80, 80, 3\] and .*, the spec takes \[8, 80, 80, 3\]"),
        ({"colour": "grey"}, "made for another version: spec: colour not known to this version"),
    ],
)
def test_a_bundle_of_another_spec_is_refused(
    heed: Heed, tmp_path: Path, tiny_bundle: Path, changes: dict[str, object], said: str
) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["spec"] |= changes
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    result = heed("watch", "a.mp4", "--bundle", bundle)
    assert result.exit_code == 1
    assert re.search(said, result.err)
    assert LINE.match(result.err)


def test_a_redis_that_is_not_there_is_told_without_its_password(
    heed: Heed, clip: Path, tmp_path: Path, tiny_bundle: Path, refused_port: int
) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:{refused_port}/0"
    result = heed("watch", clip, "--bundle", tiny_bundle, "--redis", url, "--state", tmp_path / "state")
    assert result.exit_code == 1
    assert result.err == (
        f"heed: redis: 127.0.0.1:{refused_port}/0: connection refused; start it or leave --redis out\n"
    )


def test_a_state_folder_that_is_a_file_is_told(heed: Heed, clip: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    state = written(tmp_path / "state", "")
    result = heed("watch", clip, "--bundle", tiny_bundle, "--state", state)
    assert result.exit_code == 1
    assert LINE.match(result.err)


def test_bad_files_are_told_each_in_one_line_and_good_ones_go_on(heed: Heed, tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "folder").mkdir()
    written(tmp_path / "text.mp4", "It is a text.\n" * 100)
    written(tmp_path / "empty.mp4", "")
    unknown = write_media(tmp_path / "unknown.mp4", 1.0, has_audio=False)
    unknown.write_bytes(unknown.read_bytes().replace(b"avc1", b"zzzz"))
    cut_off = write_media(tmp_path / "cut_off.mkv", 3.0)
    cut_off.write_bytes(cut_off.read_bytes()[: cut_off.stat().st_size * 3 // 4])
    corrupt(write_media(tmp_path / "corrupted.mkv", 3.0))
    write_media(tmp_path / "heard.mka", 3.0, has_video=False)
    write_media(tmp_path / "seen.mp4", 3.0, has_audio=False)
    bad = {
        "missing.mp4": "no such file; check the path",
        "folder": "no numbered pictures there; name a file, or a folder of 001.tif …",
        "text.mp4": "not a media file or stream, or cut off before its index; check it in a player",
        "empty.mp4": "the file is empty; record or copy it again",
        "unknown.mp4": "no decoder for its video; convert it to H.264 and AAC",
    }
    good = ["cut_off.mkv", "corrupted.mkv", "heard.mka", "seen.mp4"]
    paths = [tmp_path / name for name in [*bad, *good]]
    result = heed("watch", *paths, "--bundle", tiny_bundle, "--state", tmp_path / "state")
    assert result.exit_code == 1
    lines = result.err.splitlines()
    told = [line for line in lines if ": failed" in line]
    assert sorted(told) == sorted(
        f"{Path(name).stem}: failed: source: {tmp_path / name}: {reason}" for name, reason in bad.items()
    )
    for name in good:
        assert f"{Path(name).stem}: ended" in lines
        summary = r"[12] windows, \d event\(s\), 0 dropped, \d+ % of encoder runs saved"
        assert any(re.fullmatch(f"heed: {Path(name).stem}: {summary}", line) for line in lines)


def test_the_log_is_json_where_a_program_reads_it(heed: Heed, tmp_path: Path, tiny_bundle: Path) -> None:
    toml = written(tmp_path / "heed.toml", '[[source]]\nname = "gate"\nurl = "none.mp4"\n[log]\nformat = "json"\n')
    result = heed("watch", "--config", toml, "--bundle", tiny_bundle, "--state", tmp_path / "state")
    told = [json.loads(line) for line in result.err.splitlines()]
    assert [(one["event"], one["level"], one["source"]) for one in told] == [
        ("start", "info", None),
        ("source_state", "info", "gate"),
        ("source_state", "error", "gate"),
    ]
    assert (told[-1]["status"], told[-1]["reason"]) == ("failed", "source: none.mp4: no such file; check the path")


def test_an_error_is_json_too(heed: Heed, tmp_path: Path) -> None:
    result = heed("watch", "a.mp4", "--bundle", tmp_path / "none", "--log-format", "json")
    (line,) = result.err.splitlines()
    assert result.exit_code == 1
    assert json.loads(line)["event"] == "error"
    assert json.loads(line)["message"].startswith(f"bundle: {tmp_path}/none: No such file or directory; name a folder")


def test_every_command_has_an_example(heed: Heed) -> None:
    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert {"watch", "subscribe", "evaluate", "train", "export", "verify", "doctor"} <= set(names)
    for name in names:
        result = heed(name, "--help")
        assert result.exit_code == 0
        assert f"Example: heed {name}" in result.out


def test_figures_come_as_json_where_a_program_reads_them(
    heed: Heed, clip: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    labels = written(
        tmp_path / "labels.csv", f"path,start_seconds,end_seconds,label\n{clip},0,1,normal\n{clip},1,3,fight\n"
    )
    result = heed("evaluate", labels, "--bundle", tiny_bundle, "--json")
    assert result.exit_code == 0
    assert json.loads(result.out)["clip"]["n"] == 2
