"""Annotations of public data sets, in their own syntax, and plain folders."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import written
from media_files import write_media, write_pictures

from pipeline.annotations.read import Format, read_annotations
from pipeline.annotations.words import label_of
from pipeline.config import Config
from pipeline.errors import LabelsError, SourceError, SourceNotFoundError
from pipeline.evaluate import evaluate
from pipeline.labels import Row

GANGSTERS = "v=38GQ9L2meyE__#1_label_B6-0-0"
BAD_BOYS = "Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6"
XD_LINES = f"{GANGSTERS} 26 80 210 288\n{BAD_BOYS}.mp4 157 180\n"
UCF_LINES = """\
Abuse028_x264.mp4  Abuse  165  240  -1  -1  
Shooting046_x264.mp4  Shooting  4005  4230  4760  5088  
RoadAccidents001_x264.mp4  RoadAccidents  210  300  -1  -1  
Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1\t
"""  # noqa: W291
PED2_LINES = (
    "TestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [6:20];\nTestVideoFile{end+1}.gt_frame = [1:3, 11:20];\n"
)


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def video(path: Path, seconds: float = 1.0, frame_rate: int = 25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_media(path, seconds, has_audio=False, frame_rate=frame_rate)


def ped2(folder: Path, *, with_file: bool = True) -> Path:
    """A small copy: two clips to test and one to train, 20 pictures each; in the masks, one bright pixel."""
    for name in ("Train/Train001", "Test/Test001", "Test/Test002"):
        (folder / name).mkdir(parents=True)
        write_pictures(folder / name, 20)
    for name, marked in (("Test001", {*range(6, 21)}), ("Test002", {1, 2, 3, *range(11, 21)})):
        masks = folder / "Test" / f"{name}_gt"
        masks.mkdir()
        for number in range(1, 21):
            mask = np.zeros((24, 36), np.uint8)
            mask[12, 30] = 255 * (number in marked)
            cv2.imwrite(str(masks / f"{number:03d}.bmp"), mask)
    if with_file:
        written(folder / "Test" / "UCSDped2.m", PED2_LINES)
    return folder


def ped2_rows(folder: Path) -> list[Row]:
    test = folder / "Test"
    return [
        Row(test / "Test001", 0.5, 2.0, "anomaly", "Test001"),
        Row(test / "Test002", 0.0, 0.3, "anomaly", "Test002"),
        Row(test / "Test002", 1.0, 2.0, "anomaly", "Test002"),
    ]


def test_xd_violence_has_stretches_by_line_and_normal_videos_by_name(tmp_path: Path) -> None:
    gangsters = video(tmp_path / "Videos" / f"{GANGSTERS}.mp4", frame_rate=20)
    bad_boys = touched(tmp_path / "Videos" / f"{BAD_BOYS}.mp4")  # no header: the data set's 24 frames a second
    normal = touched(tmp_path / "Videos" / "A.Beautiful.Mind.2001__#00-25-20_00-29-20_label_A.mp4")
    touched(tmp_path / "Videos" / "holiday.mp4")
    expected = [
        Row(gangsters, 1.3, 4.0, "car_accident", "v=38GQ9L2meyE"),
        Row(gangsters, 10.5, 14.4, "car_accident", "v=38GQ9L2meyE"),
        Row(bad_boys, 157 / 24, 7.5, "explosion", "Bad.Boys.1995"),
        Row(normal, None, None, "normal", "A.Beautiful.Mind.2001"),
    ]
    assert read_annotations(written(tmp_path / "annotations.txt", XD_LINES)) == expected
    assert read_annotations(tmp_path) == expected
    assert read_annotations(tmp_path, Format.XD) == expected


def test_xd_violence_without_annotations_is_labelled_by_name(tmp_path: Path) -> None:
    names = [f"v=x__#1_label_{kinds}.mp4" for kinds in ("A", "B1-0-0", "B2-G-0", "B4-0-0", "B5-B6-0", "G-0-0")]
    for name in names:
        touched(tmp_path / "1-1004" / name)
    found = [(row.path.name, row.label) for row in read_annotations(tmp_path)]
    labels = ["normal", "fight", "gun_shot", "riot", "abuse", "explosion"]
    assert found == list(zip(names, labels, strict=True))


def test_ucf_crime_counts_frames_from_one_and_finds_videos_in_folders_or_not(tmp_path: Path) -> None:
    abuse = video(tmp_path / "Abuse" / "Abuse028_x264.mp4", frame_rate=15)
    shooting = touched(tmp_path / "Shooting046_x264.mp4")  # no header: the data set's 30 frames a second
    road = video(tmp_path / "RoadAccidents" / "RoadAccidents001_x264.mp4", frame_rate=30)
    normal = touched(tmp_path / "Testing_Normal_Videos_Anomaly" / "Normal_Videos_003_x264.mp4")
    expected = [
        Row(abuse, 164 / 15, 16.0, "abuse", abuse.name),
        Row(shooting, 4004 / 30, 141.0, "gun_shot", shooting.name),
        Row(shooting, 4759 / 30, 169.6, "gun_shot", shooting.name),
        Row(road, 209 / 30, 10.0, "road_accidents", road.name),
        Row(normal, None, None, "normal", normal.name),
    ]
    annotations = written(tmp_path / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", UCF_LINES)
    assert read_annotations(annotations) == expected
    assert read_annotations(tmp_path) == expected


@pytest.mark.parametrize("with_file", [True, False])
def test_ped2_has_its_truth_in_a_file_or_in_masks(tmp_path: Path, with_file: bool) -> None:
    folder = ped2(tmp_path / "UCSDped2", with_file=with_file)
    train = Row(folder / "Train" / "Train001", None, None, "normal", "Train001")
    assert read_annotations(folder) == [train, *ped2_rows(folder)]
    assert read_annotations(folder / "Test") == ped2_rows(folder)
    assert read_annotations(folder / "Train") == [train]


def test_ped2_may_be_named_by_its_file(tmp_path: Path) -> None:
    folder = ped2(tmp_path)
    assert read_annotations(folder / "Test" / "UCSDped2.m") == ped2_rows(folder)


@pytest.mark.parametrize("name", ["Test", "Test/UCSDped2.m"])
def test_a_clip_of_ped2_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    folder = ped2(tmp_path)
    (folder / "Test" / "Test002").rename(tmp_path / "elsewhere")
    told: list[str] = []
    assert read_annotations(folder / name, warn=told.append) == ped2_rows(folder)[:1]
    assert told == [f"labels: {folder / name}: 1 of 2 annotated videos are not there: Test002; they are left out"]


def test_masks_without_a_bright_pixel_are_normal(tmp_path: Path) -> None:
    folder = ped2(tmp_path, with_file=False)
    for mask in (folder / "Test" / "Test001_gt").iterdir():
        cv2.imwrite(str(mask), np.zeros((24, 36), np.uint8))
    assert read_annotations(folder / "Test")[0] == Row(folder / "Test" / "Test001", None, None, "normal", "Test001")


def test_ped2_without_truth_or_with_too_few_masks_is_told(tmp_path: Path) -> None:
    folder = ped2(tmp_path, with_file=False)
    masks = folder / "Test" / "Test002_gt"
    (masks / "020.bmp").unlink()
    with pytest.raises(LabelsError, match=r"Test002_gt: 19 masks for 20 pictures; restore the missing ones$"):
        read_annotations(folder)
    (masks / "007.bmp").unlink()
    with pytest.raises(SourceError, match=r"Test002_gt: no 007\.bmp between 001\.bmp and 019\.bmp;"):
        read_annotations(folder)
    masks.rename(tmp_path / "elsewhere")
    with pytest.raises(LabelsError, match=r"Test002: no ground truth; put UCSDped2\.m or Test002_gt beside it$"):
        read_annotations(folder)


def test_folders_are_labels_and_folders_within_are_recordings(tmp_path: Path) -> None:
    files = [
        ("Fight/a.avi", "fight", None),
        ("NonFight/b.avi", "normal", None),
        ("Testing_Normal_Videos_Anomaly/c.mp4", "normal", None),
        ("anomaly/gate/april/d.mkv", "anomaly", "gate/april"),
        ("glass break/e.wav", "glass_break", None),
        ("normal/gate/april/f.MP4", "normal", "gate/april"),
    ]
    for name, _, _ in files:
        touched(tmp_path / name)
    for name in ("README.txt", "normal/f.srt", "normal/.hidden.mp4"):
        touched(tmp_path / name)
    expected = [Row(tmp_path / name, None, None, label, group) for name, label, group in files]
    assert read_annotations(tmp_path) == expected


def test_folders_may_be_links_even_to_themselves(tmp_path: Path) -> None:
    clip = touched(tmp_path / "disk" / "a.mp4")
    labelled = tmp_path / "labelled"
    labelled.mkdir()
    (labelled / "fight").symlink_to(clip.parent)
    (clip.parent / "loop").symlink_to(labelled)
    assert read_annotations(labelled) == [Row(labelled / "fight" / "a.mp4", None, None, "fight", None)]


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("Fighting", "fight"),
        ("Shooting", "gun_shot"),
        ("Car accident", "car_accident"),
        ("RoadAccidents", "road_accidents"),
        ("Normal", "normal"),
        ("noFight", "normal"),
        ("glass_break", "glass_break"),
    ],
)
def test_a_data_sets_word_becomes_ours(word: str, label: str) -> None:
    assert label_of(word) == label


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("xd.txt", XD_LINES + f"\n{GANGSTERS} 26 80 210\n", "line 4: frame 210 has no partner; give first and last"),
        ("xd.txt", XD_LINES + f"{GANGSTERS} 26 x\n", "line 3: 26 x: not all are frame numbers; mend the line"),
        (
            "xd.txt",
            XD_LINES + f"{GANGSTERS} 1 {'9' * 400}\n",
            f"line 3: {'9' * 20} is no frame's number; mend the line",
        ),
        ("ucf.txt", UCF_LINES + "Arson.mp4 Arson -5 9 -1 -1\n", "line 5: -5 is no frame's number; mend the line"),
        ("xd.txt", XD_LINES + f"{GANGSTERS} 80 26\n", "line 3: frame 26 comes before frame 80; swap or mend them"),
        ("xd.txt", XD_LINES + f"{GANGSTERS}\n", f"line 3: {GANGSTERS} has no frames; give first and last frame"),
        ("xd.txt", XD_LINES + "v=x__#1_label_C 1 2\n", "line 3: v=x__#1_label_C is no name of a video with its label"),
        ("ucf.txt", UCF_LINES + "Arson.mp4 Arson 1 2\n", "line 5: 4 words; write the video, its class and four frame"),
        ("ucf.txt", UCF_LINES + "Arson.mp4 Arson 1 -1 -1 -1\n", "line 5: frame 1 has no partner; give first and last"),
        ("ucf.txt", UCF_LINES + "Arson.mp4 Arson -1 -1 -1 -1\n", "line 5: Arson without frames; mend the class or"),
        ("ucf.txt", UCF_LINES + "n.mp4 Normal 1 2 -1 -1\n", "line 5: a normal video with frames; mend the class or"),
        ("ped2.m", PED2_LINES + "TestVideoFile{end+1}.gt_frame = [a];\n", "line 4: not TestVideoFile{end+1}.gt_frame"),
        ("ped2.m", PED2_LINES + "TestVideoFile{end+1}.gt_frame = [9:2];\n", "line 4: frame 2 comes before frame 9;"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    path = written(tmp_path / name, text)
    with pytest.raises(LabelsError) as caught:
        read_annotations(path)
    assert str(caught.value).startswith(f"labels: {path}: {complaint}")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_none_of_these_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="neither annotations nor folders with clips in it; name a labels file, or"):
        read_annotations(tmp_path)
    with pytest.raises(LabelsError, match="nothing labelled in it as folders; name another, or another --format"):
        read_annotations(tmp_path, Format.FOLDERS)
    for name in ("normal/a.mp4", "b.mp4", "c.mp4"):
        touched(tmp_path / name)
    with pytest.raises(LabelsError, match=r"b\.mp4 \(and 1 more\) lies in no folder; move it to normal/ or to a"):
        read_annotations(tmp_path)
    with pytest.raises(LabelsError, match=r"b\.mp4: not a folder; name one with normal/ and anomaly/ in it"):
        read_annotations(tmp_path / "b.mp4", Format.FOLDERS)


def test_a_labels_file_is_read_as_ever(tmp_path: Path) -> None:
    clip = touched(tmp_path / "a.mp4")
    labels = written(tmp_path / "labels.csv", "path,start_seconds,end_seconds,label\na.mp4,1,2,fire\n")
    assert read_annotations(labels) == [Row(clip, 1.0, 2.0, "fire", None)]
    with pytest.raises(LabelsError, match="line 1: path,start_seconds,end_seconds,label is no name of a video"):
        read_annotations(labels, Format.XD)
    with pytest.raises(LabelsError, match="No such file or directory"):
        read_annotations(tmp_path / "none.csv")


def test_a_folder_of_pictures_may_be_named_in_a_labels_file(tmp_path: Path) -> None:
    (tmp_path / "gate").mkdir()
    write_pictures(tmp_path / "gate", 2)
    labels = written(tmp_path / "labels.csv", "path,start_seconds,end_seconds,label\ngate,,,fire\n")
    assert read_annotations(labels) == [Row(tmp_path / "gate", None, None, "fire", None)]


def test_videos_that_are_not_there_are_listed_once_and_left_out(tmp_path: Path) -> None:
    annotations = written(tmp_path / "ucf.txt", UCF_LINES)
    listed = "4 of 4 annotated videos are not there: Abuse028_x264.mp4, Shooting046_x264.mp4, RoadAccidents001_x264.mp4"
    with pytest.raises(LabelsError, match=rf"ucf\.txt: {listed}, .*; put them beside the annotations, or in folders"):
        read_annotations(annotations)
    touched(tmp_path / "Abuse" / "Abuse028_x264.mp4")
    told: list[str] = []
    rows = read_annotations(annotations, warn=told.append)
    assert [row.path.name for row in rows] == ["Abuse028_x264.mp4"]
    assert len(told) == 1
    assert "3 of 4 annotated videos are not there: Shooting046_x264.mp4, " in told[0]
    with pytest.raises(
        SourceNotFoundError, match=r"3 of 4 annotated videos .*; put them there, or go without --strict"
    ):
        read_annotations(annotations, strict=True)


def test_a_video_whose_name_no_file_can_have_is_missing(tmp_path: Path) -> None:
    (tmp_path / "annotations.txt").write_text(f"{'F' * 300}__#1_label_B1-0-0 2 8\n")
    with pytest.raises(LabelsError, match="1 of 1 annotated videos are not there: FFF"):
        read_annotations(tmp_path / "annotations.txt")


def test_a_long_list_of_missing_videos_is_cut_short(tmp_path: Path) -> None:
    lines = "".join(f"Arson{number:03d}.mp4 Arson 1 2 -1 -1\n" for number in range(15))
    touched(tmp_path / "Arson000.mp4")
    told: list[str] = []
    read_annotations(written(tmp_path / "ucf.txt", lines), warn=told.append)
    assert told[0].endswith("Arson009.mp4, Arson010.mp4 and 4 more; they are left out")


def test_evaluate_takes_folders(tmp_path: Path, tiny_bundle: Path) -> None:
    clips = tmp_path / "clips"
    for name in ("fight/gate/a.mp4", "fight/b.mp4", "normal/gate/c.mp4"):
        video(clips / name, 3.0)
    metrics = evaluate(clips, tiny_bundle, Config(), tmp_path / "out")
    assert (metrics["clip"]["n"], metrics["clip"]["num_anomalies"]) == (3, 2)
    assert list(metrics["by_label"]) == ["fight"]
    windows = (tmp_path / "out" / "windows.csv").read_text().splitlines()[1:]
    assert {line.partition(",")[0] for line in windows} == {"fight/gate/a.mp4", "fight/b.mp4", "normal/gate/c.mp4"}


def test_evaluate_takes_ped2(tmp_path: Path, tiny_bundle: Path) -> None:
    metrics = evaluate(ped2(tmp_path), tiny_bundle, Config(), kind=Format.PED2)
    assert metrics["speed"]["media_seconds"] == pytest.approx(6.0)
    assert (metrics["frame"]["n"], metrics["frame"]["num_anomalies"]) == (60, 28)
    assert metrics["failed"] == []


def test_strict_fails_on_a_file_that_cannot_be_read(tmp_path: Path, tiny_bundle: Path) -> None:
    video(tmp_path / "normal" / "a.mp4", 2.0)
    written(tmp_path / "fight" / "b.mp4", "not a video")
    assert len(evaluate(tmp_path, tiny_bundle, Config())["failed"]) == 1
    with pytest.raises(SourceError, match=r"fight/b\.mp4: not a media file"):
        evaluate(tmp_path, tiny_bundle, Config(), strict=True)
