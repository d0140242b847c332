"""Folders of lists: what is of a call, what is not, and calls that write at once."""

import os

import pytest

from skrec.utils import _files
from skrec.utils._list_parts import ListParts, is_part_name, made_of, part_name

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NAMES = [part_name(0), part_name(1)]
TABLE = pa.table({"user": [1, 2]})


def parts_in(folder, mark="model", **options):
    options = {"remedy": "use another folder", "numbered": True} | options
    return ListParts(folder, NAMES, mark, **options)


def write(files, name, stamp="first", table=TABLE):
    with files.open(name, stamp) as (file, metadata):
        pq.write_table(table.replace_schema_metadata(metadata), file)


def test_a_file_says_what_it_was_made_of(tmp_path):
    files = parts_in(tmp_path)
    assert files.n_lines(NAMES[0], "first") is None
    write(files, NAMES[0])
    assert files.n_lines(NAMES[0], "first") == 2
    assert files.n_lines(NAMES[1], "first") is None
    assert files.check_folder() == []
    with pytest.raises(ValueError, match=r"00000\.parquet exists .*: use another folder"):
        files.n_lines(NAMES[0], "second")
    for other in (parts_in(tmp_path, "other"), parts_in(tmp_path, "mode")):
        with pytest.raises(ValueError, match="exists and comes from"):
            other.check_folder()
        with pytest.raises(ValueError, match="exists and comes from"):
            other.n_lines(NAMES[0], "first")


def test_files_beyond_the_parts_are_of_other_lists(tmp_path):
    write(parts_in(tmp_path), part_name(2))
    write(parts_in(tmp_path), "a.parquet")
    with pytest.raises(ValueError, match=r"part-00002\.parquet"):
        parts_in(tmp_path).check_folder()
    assert parts_in(tmp_path, overwrite=True).check_folder() == [tmp_path / part_name(2)]
    assert parts_in(tmp_path, numbered=False).check_folder() == []


def test_what_is_no_file_of_lists_is_left_alone(tmp_path):
    pq.write_table(TABLE, tmp_path / "log.parquet")
    (tmp_path / "text.parquet").write_text("text")
    (tmp_path / "folder.parquet").mkdir()
    files = parts_in(tmp_path, overwrite=True)
    assert files.check_folder() == []
    for name in NAMES:
        pq.write_table(TABLE, tmp_path / name)
        with pytest.raises(ValueError, match="exists and comes from"):
            parts_in(tmp_path).n_lines(name, "first")
        (tmp_path / name).write_text("text")
        with pytest.raises(ValueError, match="exists and comes from"):
            parts_in(tmp_path).n_lines(name, "first")
        assert files.n_lines(name, "first") is None, "to be written over"


@pytest.mark.parametrize("cut", [0, 4, 200])
def test_a_broken_file_is_made_anew(tmp_path, cut):
    files, path = parts_in(tmp_path), tmp_path / NAMES[0]
    write(files, NAMES[0])
    path.write_bytes(path.read_bytes()[:cut])
    files.check_folder()
    assert files.n_lines(NAMES[0], "first") is None
    write(files, NAMES[0])
    assert files.n_lines(NAMES[0], "first") == 2
    assert os.listdir(tmp_path) == [NAMES[0]]


@pytest.mark.parametrize("links", [True, False])
def test_calls_that_write_one_file_at_once(tmp_path, links, monkeypatch):
    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(_files.os, "link", no_links)
    files, path = parts_in(tmp_path), tmp_path / NAMES[0]

    def write_while_another_does():
        with files.open(NAMES[0], "first") as (file, metadata):
            pq.write_table(TABLE.replace_schema_metadata(metadata), file)
            write(parts_in(tmp_path, "other"), NAMES[0])

    with pytest.raises(ValueError, match="exists and comes from another"):
        write_while_another_does()
    assert parts_in(tmp_path, "other").n_lines(NAMES[0], "first") == 2, "who came first stays"
    path.unlink()
    with files.open(NAMES[0], "first") as (file, metadata):
        pq.write_table(TABLE.replace_schema_metadata(metadata), file)
        write(files, NAMES[0])
        first = path.stat().st_mtime_ns
    assert path.stat().st_mtime_ns == first
    with parts_in(tmp_path, "new", overwrite=True).open(NAMES[0], "") as (file, metadata):
        pq.write_table(TABLE.replace_schema_metadata(metadata), file)
    assert parts_in(tmp_path, "new").n_lines(NAMES[0], "") == 2
    assert os.listdir(tmp_path) == [NAMES[0]]


def test_a_failed_call_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), parts_in(tmp_path).open(NAMES[0], "first"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_names_and_marks():
    assert list(map(is_part_name, ["part-00000.parquet", "part-123456.parquet"])) == [True, True]
    assert not any(map(is_part_name, ["part-0.parquet", "a.parquet", "part-00000.csv"]))
    assert " " not in made_of("model", 10)
    assert made_of("model", 10) == made_of("model", 10) != made_of("model", 11)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 10])
def test_a_file_that_was_cut_is_written_again(tmp_path, length):
    files = parts_in(tmp_path)
    write(files, NAMES[0])
    path = tmp_path / NAMES[0]
    path.write_bytes(path.read_bytes()[:length])
    assert files.n_lines(NAMES[0], "first") is None
    write(files, NAMES[0])
    assert files.n_lines(NAMES[0], "first") == 2


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("gone")])
def test_a_path_that_cannot_be_a_file_is_named_before_lists_are_made(tmp_path, make):
    make(tmp_path / NAMES[0])
    with pytest.raises(ValueError, match=r"00000\.parquet is a folder, or a link.*another folder"):
        parts_in(tmp_path).n_lines(NAMES[0], "first")
