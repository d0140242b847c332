import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skrec.datasets import _movielens, clear_data_home, fetch_movielens, get_data_home
from skrec.datasets._tables import read_table

RATINGS = [(2, 30, 3, 100), (1, 10, 5, 300), (1, 30, 4, 200), (2, 10, 1, 100), (9, 20, 2, 50)]
MOVIES = [
    (10, "Toy Story (1995)", ["Animation", "Comedy"]),
    (20, "Amélie, le film (2001)", []),
    (25, "Never rated (1999)", ["Drama"]),
    (30, "Heat (1995)", ["Drama"]),
]
GENRES = ["unknown", "Animation", "Comedy", "Drama"]


def _zip(folder, members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{folder}/{name}", data)
    return buffer.getvalue()


def _archive_100k():
    def lines(rows, delimiter):
        return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)

    items = [
        [number, title, "01-Jan-1995", "", "http://x/?y", *(int(g in genres) for g in GENRES)]
        for number, title, genres in MOVIES
    ]
    users = [(1, 24, "M", "writer", "85711"), (2, 53, "F", "none", "00501"), (9, 9, "M", "x", "T8")]
    members = {
        "README": b"about 100k",
        "u.data": lines(RATINGS, "\t"),
        "u.item": lines(items, "|").encode("latin-1"),
        "u.genre": lines([(name, place) for place, name in enumerate(GENRES)], "|") + "\n",
        "u.user": lines(users, "|"),
        "ua.test": lines(RATINGS[1:3], "\t"),
        "ub.test": lines(RATINGS[:1], "\t"),
    }
    for fold in range(5):
        members[f"u{fold + 1}.test"] = lines(RATINGS[fold : fold + 1], "\t")
        members[f"u{fold + 1}.base"] = "not read"
    return _zip("ml-100k", members)


def _archive_dat(folder, encoding, users=True, half=False):
    ratings = [(u, i, r - 0.5 if half else r, t) for u, i, r, t in RATINGS]
    members = {
        "README": b"about dat",
        "ratings.dat": "".join("::".join(map(str, row)) + "\n" for row in ratings),
        "movies.dat": "".join(
            f"{number}::{title}::{'|'.join(genres) or '(no genres listed)'}\n"
            for number, title, genres in MOVIES
        ).encode(encoding),
    }
    if users:
        members["users.dat"] = "1::F::1::10::48067\n2::M::56::16::70072-1\n9::M::25::15::00501\n"
    return _zip(folder, members)


def _archive_csv(folder):
    return _zip(
        folder,
        {
            "README.txt": b"about csv",
            "tags.csv": b"userId,movieId,tag,timestamp\r\n",
            "ratings.csv": "userId,movieId,rating,timestamp\r\n"
            + "".join(f"{u},{i},{r - 0.5},{t}\r\n" for u, i, r, t in RATINGS),
            "movies.csv": "movieId,title,genres\r\n"
            + "".join(
                f'{number},"{title}",{"|".join(genres) or "(no genres listed)"}\r\n'
                for number, title, genres in MOVIES
            ),
        },
    )


ARCHIVES = {
    "100k": _archive_100k(),
    "1m": _archive_dat("ml-1m", "latin-1"),
    "10m": _archive_dat("ml-10M100K", "utf-8", users=False, half=True),
    "20m": _archive_csv("ml-20m"),
    "25m": _archive_csv("ml-25m"),
    "32m": _archive_csv("ml-32m"),
    "latest-small": _archive_csv("ml-latest-small"),
}


class _Server:
    """A file server on the loopback whose connections can be made to break off."""

    def __init__(self, monkeypatch):
        self.files, self.requests, self.cut, self.ranges = {}, [], [], True
        self.delay, self.stuck = 0.0, None
        for edition, data in ARCHIVES.items():
            chosen = _movielens._EDITIONS[edition]
            self.files[f"/{chosen.folder}.zip"] = data
            digest = hashlib.md5(data).hexdigest()
            self.files[f"/{chosen.folder}.zip.md5"] = f"MD5 (x.zip) = {digest}\n".encode()
            if chosen.md5 is not None:
                monkeypatch.setitem(_movielens._EDITIONS, edition, chosen._replace(md5=digest))
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        monkeypatch.setattr(_movielens, "_URL", f"http://127.0.0.1:{self.http.server_port}/")

    def _handler(server):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers.get("Range")
                server.requests.append((self.path, asked))
                data = server.files.get(self.path)
                if data is None:
                    self.send_error(404)
                    return
                start = int(asked[6:-1]) if asked and server.ranges else 0
                if start and start >= len(data):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                whole = self.path.endswith(".md5") or not server.cut
                stop = len(data) if whole else server.cut.pop(0)
                time.sleep(server.delay)
                self.wfile.write(data[start:stop])
                if server.stuck is not None and self.path.endswith(".zip"):
                    self.wfile.flush()
                    server.stuck.wait(60)

            def log_message(self, *args):
                pass

        return Handler

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    server = _Server(monkeypatch)
    yield server
    server.stop()


def _expected():
    return np.array([[5.0, 0, 4], [1, 0, 3], [0, 2, 0]])


@pytest.mark.parametrize("edition", list(ARCHIVES))
def test_every_layout(tmp_path, server, edition):
    data = fetch_movielens(edition, data_home=tmp_path)
    half = edition not in ("100k", "1m")
    expected = _expected()
    assert_array_equal(data.X.toarray(), np.where(expected > 0, expected - 0.5 * half, 0))
    assert data.X.dtype == np.float32
    assert_array_equal(data.user_ids, [1, 2, 9])
    assert_array_equal(data.item_ids, [10, 20, 30])
    assert_array_equal(data.rating, data.X.data)
    assert_array_equal(data.timestamp, [300, 200, 100, 100, 50])
    assert_array_equal(data.user, [0, 0, 1, 1, 2])
    assert_array_equal(data.item, [0, 2, 0, 2, 1])
    # Ratings of one second keep the order of the file.
    assert_array_equal(data.time_rank, [1, 0, 1, 0, 0])
    assert data.titles.tolist() == ["Toy Story (1995)", "Amélie, le film (2001)", "Heat (1995)"]
    names = data.genre_names.tolist()
    assert names == ["Animation", "Comedy", "Drama"]
    assert_array_equal(data.item_features.toarray(), [[1, 1, 0], [0, 0, 0], [0, 0, 1]])
    assert data.DESCR.startswith("about")
    assert data.value_name == "rating"
    folder = tmp_path / _movielens._EDITIONS[edition].folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["README.txt", "interactions.npz", "items.csv"]
        + ["users.csv"] * (edition in ("100k", "1m"))
    )
    assert read_table(folder / "items.csv")["item"] == ["-1", "0", "1", "2"]
    n_requests = len(server.requests)
    again = fetch_movielens(edition, data_home=tmp_path, download_if_missing=False)
    assert (again.X != data.X).nnz == 0
    assert len(server.requests) == n_requests


def test_users_and_official_splits_of_100k(tmp_path, server):
    data = fetch_movielens("100k", data_home=tmp_path)
    assert_array_equal(data.user_table.age, [24, 53, 9])
    assert data.user_table.zip.tolist() == ["85711", "00501", "T8"]
    assert_array_equal(data.cv_fold, [1, 2, 3, 0, 4])
    assert_array_equal(data.ua_test, [True, True, False, False, False])
    assert_array_equal(data.ub_test, [False, False, False, True, False])
    assert data.genres.tolist() == ["Animation|Comedy", "", "Drama"]
    assert data.item_table.release_date.tolist() == ["01-Jan-1995"] * 3


def test_users_and_years_of_1m(tmp_path, server):
    data = fetch_movielens("1m", data_home=tmp_path)
    assert data.user_table.gender.tolist() == ["F", "M", "M"]
    assert data.user_table.zip.tolist() == ["48067", "70072-1", "00501"]
    assert_array_equal(data.item_table.year, [1995, 2001, 1995])


def test_returns(tmp_path, server):
    X = fetch_movielens("1m", data_home=tmp_path, return_X=True, dtype=np.float64)
    assert X.dtype == np.float64
    assert_array_equal(X.toarray(), _expected())
    frame = fetch_movielens("1m", data_home=tmp_path, as_frame=True).frame
    expected = pd.DataFrame(RATINGS, columns=["user", "item", "rating", "timestamp"])
    expected = expected.sort_values(["user", "item"], ignore_index=True)
    pd.testing.assert_frame_equal(frame, expected.astype({"rating": np.float32}))


def test_resumes_within_a_call(tmp_path, server):
    server.cut = [100, 250]
    data = fetch_movielens("100k", data_home=tmp_path, delay=0)
    assert_array_equal(data.X.toarray(), _expected())
    assert [asked for _, asked in server.requests] == [None, "bytes=100-", "bytes=250-"]


def test_resumes_in_the_next_call(tmp_path, server):
    server.cut = [100]
    with pytest.raises(
        OSError, match=r"ended after 100 of .*the download resumes where it stopped"
    ):
        fetch_movielens("100k", data_home=tmp_path, n_retries=0)
    folder = tmp_path / "ml-100k"
    assert [path.name for path in folder.iterdir()] == ["ml-100k.zip.part"]
    assert_array_equal(fetch_movielens("100k", data_home=tmp_path).X.toarray(), _expected())
    assert [asked for _, asked in server.requests] == [None, "bytes=100-"]


def test_server_without_ranges_starts_over(tmp_path, server):
    server.cut, server.ranges = [100], False
    data = fetch_movielens("100k", data_home=tmp_path, delay=0)
    assert_array_equal(data.X.toarray(), _expected())


def test_part_that_is_complete_already(tmp_path, server):
    (tmp_path / "ml-100k").mkdir()
    (tmp_path / "ml-100k" / "ml-100k.zip.part").write_bytes(ARCHIVES["100k"])
    assert_array_equal(fetch_movielens("100k", data_home=tmp_path).X.toarray(), _expected())


@pytest.mark.parametrize("edition", ["100k", "latest-small"])
def test_checksum_mismatch(tmp_path, server, edition):
    folder = _movielens._EDITIONS[edition].folder
    good = server.files[f"/{folder}.zip"]
    server.files[f"/{folder}.zip"] = b"<html>please log in</html>"
    with pytest.raises(ValueError, match=r"not the expected one.*checksum is not md5:.*try again"):
        fetch_movielens(edition, data_home=tmp_path)
    assert list((tmp_path / folder).iterdir()) == []
    server.files[f"/{folder}.zip"] = good
    assert fetch_movielens(edition, data_home=tmp_path).X.nnz == 5


def test_a_wrong_part_does_no_lasting_harm(tmp_path, server):
    (tmp_path / "ml-1m").mkdir()
    (tmp_path / "ml-1m" / "ml-1m.zip.part").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not the expected one"):
        fetch_movielens("1m", data_home=tmp_path)
    assert fetch_movielens("1m", data_home=tmp_path).X.nnz == 5


def test_no_such_file_is_not_tried_again(tmp_path, server):
    del server.files["/ml-1m.zip"]
    with pytest.raises(OSError, match="404"):
        fetch_movielens("1m", data_home=tmp_path, n_retries=5, delay=60)
    assert len(server.requests) == 1
    server.files["/ml-latest-small.zip.md5"] = b"<html>"
    with pytest.raises(ValueError, match="holds no md5"):
        fetch_movielens("latest-small", data_home=tmp_path)


@pytest.mark.parametrize("edition", ["20m", "latest-small"])
def test_offline(tmp_path, server, edition):
    server.stop()
    folder = _movielens._EDITIONS[edition].folder
    message = (
        rf"could not be downloaded: .*Expected http://127.* to answer; try again .*download "
        rf"http.*{folder}\.zip \(.*\) elsewhere and put it at .*{folder}\.zip"
    )
    with pytest.raises(OSError, match=message):
        fetch_movielens(edition, data_home=tmp_path, n_retries=1, delay=0)
    with pytest.raises(OSError, match="download_if_missing=False"):
        fetch_movielens(edition, data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize("edition", ["20m", "latest-small"])
def test_archive_put_there_by_hand(tmp_path, server, edition):
    server.stop()
    folder = tmp_path / _movielens._EDITIONS[edition].folder
    folder.mkdir()
    (folder / f"{folder.name}.zip").write_bytes(ARCHIVES[edition])
    data = fetch_movielens(edition, data_home=tmp_path, download_if_missing=False)
    assert data.X.nnz == 5


def test_broken_archives(tmp_path, monkeypatch):
    folder = tmp_path / "ml-latest-small"
    folder.mkdir()
    archive = folder / "ml-latest-small.zip"
    archive.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="not a valid zip"):
        fetch_movielens("latest-small", data_home=tmp_path)
    archive.write_bytes(_zip("x", {"other.txt": b""}))
    with pytest.raises(ValueError, match="holds none of"):
        fetch_movielens("latest-small", data_home=tmp_path)
    archive.write_bytes(_zip("x", {"ratings.csv": b"userId,movieId,rating,timestamp\n1,2,x,3\n"}))
    with pytest.raises(ValueError, match="lines that are not user, item, rating, timestamp"):
        fetch_movielens("latest-small", data_home=tmp_path)
    # A failure leaves nothing that looks complete.
    assert not (folder / "interactions.npz").exists()


# Several processes, and what killed ones leave.

FETCH = """
import sys
from skrec.datasets import _movielens
_movielens._URL = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
data = _movielens.fetch_movielens("latest-small", data_home=sys.argv[2])
print(data.X.nnz, len(data.titles))
"""


def _fetching(tmp_path):
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, _movielens._URL, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [False, True])
def test_four_processes_at_once(tmp_path, server, by_hand):
    folder = tmp_path / "ml-latest-small"
    if by_hand:
        folder.mkdir()
        (folder / "ml-latest-small.zip").write_bytes(ARCHIVES["latest-small"])
    else:
        server.delay = 0.05  # so that they meet
    processes = [_fetching(tmp_path) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (out, process.returncode) == ("5 3\n", 0), err
    names = {path.name for path in folder.iterdir()}
    assert names == {"README.txt", "interactions.npz", "items.csv"}


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_those_of_the_umask(tmp_path, server):
    before = os.umask(0o022)
    try:
        server.cut = [100]
        with pytest.raises(OSError, match="ended after"):
            fetch_movielens("100k", data_home=tmp_path, n_retries=0)
        (part,) = (tmp_path / "ml-100k").iterdir()
        assert stat.S_IMODE(part.stat().st_mode) == 0o644
        fetch_movielens("100k", data_home=tmp_path)
    finally:
        os.umask(before)
    for path in (tmp_path / "ml-100k").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_what_a_killed_download_left_is_gone_on_with(tmp_path, server):
    server.cut, server.stuck = [200], threading.Event()
    process = _fetching(tmp_path)
    process.stdin.write("\n")
    process.stdin.flush()
    folder = tmp_path / "ml-latest-small"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(path.stat().st_size == 200 for path in folder.glob(".*.part")):
            break
        time.sleep(0.02)
    process.kill()
    process.communicate()
    server.stuck.set()
    server.stuck = None
    assert len(list(folder.iterdir())) == 1
    assert fetch_movielens("latest-small", data_home=tmp_path).X.nnz == 5
    assert server.requests[-1] == ("/ml-latest-small.zip", "bytes=200-")
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob(".*"))


def test_folder_that_cannot_be_written(tmp_path, server, monkeypatch):
    def forbidden(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", forbidden)
    monkeypatch.setattr(_movielens, "get_data_home", lambda _: str(tmp_path))
    with pytest.raises(OSError, match=r"cannot write.*SKREC_DATA"):
        fetch_movielens("1m")


def test_unknown_edition():
    with pytest.raises(ValueError, match=r"edition must be one of \['100k', .*Got '2m'"):
        fetch_movielens("2m")


def test_clear_data_home(tmp_path, server):
    home = tmp_path / "home"
    fetch_movielens("1m", data_home=home)
    (home / "mine").mkdir()
    clear_data_home(home)
    assert [path.name for path in home.iterdir()] == ["mine"]
    (home / "mine").rmdir()
    clear_data_home(home)
    assert not home.exists()
    clear_data_home(home)


def test_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SKREC_DATA", str(tmp_path / "env"))
    assert get_data_home() == str(tmp_path / "env")
    assert (tmp_path / "env").is_dir()
    assert get_data_home(tmp_path / "arg") == str(tmp_path / "arg")
    assert get_data_home("~/there") == str(tmp_path / "there")
    monkeypatch.delenv("SKREC_DATA")
    assert get_data_home() == str(tmp_path / "scikit_recsys_data")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be created .*SKREC_DATA"):
        get_data_home(tmp_path / "file" / "sub")
    with pytest.raises(ValueError, match=r"has no home.*SKREC_DATA"):
        get_data_home("~a-user-that-is-not-there/data")


@pytest.mark.parametrize(
    ("edition", "folder", "shape", "n"),
    [
        ("100k", "ml-100k", (943, 1682), 100_000),
        ("1m", "ml-1m", (6040, 3706), 1_000_209),
        ("latest-small", "ml-latest-small", (610, 9724), 100_836),
    ],
)
def test_shared_data(data_home, edition, folder, shape, n):
    if not (data_home / folder).is_dir():
        pytest.skip(f"no {folder}")
    data = fetch_movielens(edition, data_home=data_home, download_if_missing=False)
    assert data.X.shape == shape
    assert data.X.nnz == n
    assert data.titles[0] == "Toy Story (1995)"
    assert len(data.titles) == shape[1]
    with np.load(data_home / folder / "interactions.npz") as file:
        assert_array_equal(data.X[file["user"], file["item"]], file["rating"])
    ranks = data.time_rank
    assert_array_equal(
        np.bincount(data.user, ranks), [c * (c - 1) // 2 for c in np.bincount(data.user)]
    )


def test_real_100k_through_its_raw_layout(tmp_path, data_home, server):
    """The shared arrays, written as u.data and u.item, come back as they are."""
    source = data_home / "ml-100k"
    if not source.is_dir():
        pytest.skip("no ml-100k")
    arrays = dict(np.load(source / "interactions.npz"))
    users, items = arrays["user_ids"][arrays["user"]], arrays["item_ids"][arrays["item"]]
    columns = (users, items, arrays["rating"], arrays["timestamp"])
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    table = read_table(source / "items.csv")
    people = read_table(source / "users.csv")
    genres = sorted({name for text in table["genres"] for name in text.split("|")})

    def lines(rows, delimiter):
        return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)

    described = [
        [number, title, date, "", url, *(int(name in text.split("|")) for name in genres)]
        for number, title, date, url, text in zip(
            *(table[name] for name in ("movie_id", "title", "release_date", "imdb_url", "genres")),
            strict=True,
        )
    ]
    names = ("user_id", "age", "gender", "occupation", "zip")
    members = {
        "u.data": lines(rows, "\t"),
        "u.item": lines(described, "|").encode("latin-1"),
        "u.genre": lines([(name, 0) for name in genres], "|"),
        "u.user": lines(zip(*(people[name] for name in names), strict=True), "|"),
    }
    for fold in range(5):
        test = [row for row, k in zip(rows, arrays["cv_fold"], strict=True) if k == fold]
        members[f"u{fold + 1}.test"] = lines(test, "\t")
    for name in ("ua", "ub"):
        test = [row for row, k in zip(rows, arrays[f"{name}_test"], strict=True) if k]
        members[f"{name}.test"] = lines(test, "\t")
    archive = _zip("ml-100k", members)
    server.files["/ml-100k.zip"] = archive
    chosen = _movielens._EDITIONS["100k"]
    _movielens._EDITIONS["100k"] = chosen._replace(md5=hashlib.md5(archive).hexdigest())
    try:
        fetch_movielens("100k", data_home=tmp_path)
    finally:
        _movielens._EDITIONS["100k"] = chosen
    made = dict(np.load(tmp_path / "ml-100k" / "interactions.npz"))
    for name, column in arrays.items():
        assert made[name].dtype == column.dtype, name
        assert_array_equal(made[name], column, err_msg=name)
    assert read_table(tmp_path / "ml-100k" / "users.csv") == people
    made_items = read_table(tmp_path / "ml-100k" / "items.csv")
    assert made_items.keys() == table.keys()
    for name in ("item", "movie_id", "title", "release_date", "imdb_url"):
        assert made_items[name] == table[name]
    for one, other in zip(made_items["genres"], table["genres"], strict=True):
        assert set(one.split("|")) == set(other.split("|"))
