"""Labels files, good and bad, and what they say of time."""

from pathlib import Path

import pytest

from pipeline.errors import LabelsError
from pipeline.labels import Row, Truth, read_labels, rows_by_path, truth

HEADER = "path,start_seconds,end_seconds,label,group\n"


def written(folder: Path, text: str) -> Path:
    for name in ("a.mp4", "b.flac", "sub/c, d.mkv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    labels = folder / "labels.csv"
    labels.write_text(text, encoding="utf-8")
    return labels


def stretch(start: float | None, end: float | None, label: str) -> Row:
    return Row(Path("a.mp4"), start, end, label, None)


def test_rows_are_read_with_paths_beside_the_file(tmp_path: Path) -> None:
    text = HEADER + 'a.mp4,,,normal,one\nb.flac,1.5,4,siren,\n"sub/c, d.mkv",2,,fight,two\n'
    assert read_labels(written(tmp_path, text)) == [
        Row(tmp_path / "a.mp4", None, None, "normal", "one"),
        Row(tmp_path / "b.flac", 1.5, 4.0, "siren", None),
        Row(tmp_path / "sub/c, d.mkv", 2.0, None, "fight", "two"),
    ]


def test_group_may_be_left_out_and_other_columns_and_orders_are_fine(tmp_path: Path) -> None:
    text = "note,label,end_seconds,start_seconds,path\nx, fight ,,, a.mp4\n\n"
    assert read_labels(written(tmp_path, text)) == [Row(tmp_path / "a.mp4", None, None, "fight", None)]


def test_a_spreadsheets_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    assert len(read_labels(written(tmp_path, "\ufeff" + HEADER + "a.mp4,,,fight,\n"))) == 1


def test_the_senses_that_show_an_anomaly_may_be_named(tmp_path: Path) -> None:
    text = "path,start_seconds,end_seconds,label,modality\na.mp4,0,2,fight,video\na.mp4,3,4,fire, text + audio\n"
    text += "a.mp4,5,6,normal,\n"
    assert [row.modality for row in read_labels(written(tmp_path, text))] == ["video", "audio+text", None]
    unknown = written(tmp_path, text + "a.mp4,7,8,fight,video+smell\n")
    with pytest.raises(LabelsError, match="line 5: modality 'smell' is none of video, audio, text; mend or empty it"):
        read_labels(unknown)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: no column path, start_seconds, end_seconds, label; the first line is path,"),
        ("path,start,end,label\na.mp4,,,fight\n", "line 1: no column start_seconds, end_seconds;"),
        (HEADER, "no rows; add"),
        (HEADER + "a.mp4,-1,4,fight,\n", "line 2: start_seconds -1 is negative;"),
        (HEADER + "a.mp4,,,fight,\na.mp4,1,-4,fight,\n", "line 3: end_seconds -4 is negative;"),
        (HEADER + "a.mp4,5,4,fight,\n", "line 2: end_seconds 4 is not after start_seconds 5;"),
        (HEADER + "a.mp4,,0,fight,\n", "line 2: end_seconds 0 is not after start_seconds 0;"),
        (HEADER + "a.mp4,one,4,fight,\n", "line 2: start_seconds 'one' is not a number;"),
        (HEADER + "a.mp4,0,inf,fight,\n", "line 2: end_seconds 'inf' is not a number;"),
        (HEADER + "a.mp4,nan,4,fight,\n", "line 2: start_seconds 'nan' is not a number;"),
        (HEADER + "a.mp4,0,4, ,\n", "line 2: label is empty;"),
        (HEADER + "a.mp4,0\n", "line 2: label is empty;"),
        (HEADER + ",0,4,fight,\n", "line 2: path is empty;"),
        (HEADER + "c, d.mkv,0,4,fight,\n", "line 2: more fields than columns; put quotes"),
        (HEADER + "a.mp4,,,fight,\n\nno.mp4,,,fight,\n", "line 4: no such file '"),
        (HEADER + "no.mp4,,,fight,\nnor.mp4,,,fight,\nno.mp4,,,fight,\n", "no.mp4' (and 1 more); paths are relative"),
        (HEADER + "sub,,,fight,\n", "line 2: no such file '"),
        (HEADER + "x" * 5000 + ",,,fight,\n", "line 2: no such file '"),
        (HEADER + '"a.mp4,,,fight,\n', "line 2: not CSV: unexpected end of data;"),
    ],
)
def test_a_wrong_labels_file_is_told_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    labels = written(tmp_path, text)
    with pytest.raises(LabelsError) as caught:
        read_labels(labels)
    message = str(caught.value)
    assert message.startswith(f"labels: {labels}: ")
    assert complaint in message
    assert "\n" not in message


def test_a_missing_labels_file_a_folder_and_bytes_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"path,\xff\xfe")
    for name, complaint in (("no.csv", "No such file"), (".", "Is a directory"), ("bytes.csv", "not UTF-8; save")):
        with pytest.raises(LabelsError, match=complaint):
            read_labels(tmp_path / name)


def test_a_labels_error_is_a_value_error_and_wrong_use() -> None:
    assert issubclass(LabelsError, ValueError)
    assert LabelsError.exit_code == 2


def test_rows_of_a_file_come_together(tmp_path: Path) -> None:
    text = HEADER + "a.mp4,0,1,fight,\nb.flac,,,normal,\na.mp4,2,3,fire,\n"
    files = rows_by_path(read_labels(written(tmp_path, text)))
    assert list(files) == [tmp_path / "a.mp4", tmp_path / "b.flac"]
    assert [row.label for row in files[tmp_path / "a.mp4"]] == ["fight", "fire"]


def test_with_anomaly_rows_only_all_other_time_is_normal() -> None:
    rows = [stretch(2, 4, "fight"), stretch(6, 7, "fire")]
    assert truth(rows, 10) == Truth(anomaly=((2, 4), (6, 7)), normal=((0, 2), (4, 6), (7, 10)))


def test_with_normal_rows_too_uncovered_time_counts_for_nothing() -> None:
    rows = [stretch(2, 4, "fight"), stretch(5, 8, "normal")]
    assert truth(rows, 10) == Truth(anomaly=((2, 4),), normal=((5, 8),))


def test_a_whole_clip_row_covers_everything() -> None:
    assert truth([stretch(None, None, "fight")], 10) == Truth(anomaly=((0, 10),), normal=())
    assert truth([stretch(None, None, "normal")], 10) == Truth(anomaly=(), normal=((0, 10),))


def test_an_empty_start_is_zero_and_an_empty_end_the_files() -> None:
    rows = [stretch(None, 3, "fight"), stretch(8, None, "fight")]
    assert truth(rows, 10) == Truth(anomaly=((0, 3), (8, 10)), normal=((3, 8),))


def test_anomalies_that_touch_are_one_and_win_over_normal() -> None:
    rows = [stretch(4, 6, "fire"), stretch(2, 4, "fight"), stretch(0, 5, "normal")]
    assert truth(rows, 10) == Truth(anomaly=((2, 6),), normal=((0, 2),))


def test_a_row_past_the_end_of_the_file_covers_nothing() -> None:
    assert truth([stretch(12, 14, "fight")], 10) == Truth(anomaly=(), normal=((0, 10),))
    assert truth([stretch(8, 14, "fight")], 10) == Truth(anomaly=((8, 10),), normal=((0, 8),))
