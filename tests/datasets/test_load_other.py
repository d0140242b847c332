import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, save_npz

from skrec.datasets import load_dataset, load_interactions
from skrec.datasets._tables import read_table, write_table
from skrec.preprocessing import InteractionEncoder

FRAME = pd.DataFrame(
    {
        "item_id": [9, 7, 9, 9],
        "user_id": ["bob", "ann", "ann", "bob"],
        "rating": [3.0, 4.5, 1.0, 2.0],
        "timestamp": [20, 30, 40, 10],
    }
)


@pytest.mark.parametrize(
    "types",
    [
        {},
        {"user_id": "category"},
        {"item_id": "int16", "rating": "float32"},
        {"timestamp": "datetime64[s]"},
        {"rating": "int8"},
    ],
)
def test_parquet(tmp_path, types):
    frame = FRAME.astype(types)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=2)
    data = load_interactions(path, duplicates="last")
    half = 0.0 if types.get("rating") == "int8" else 0.5
    assert_array_equal(data.X.toarray(), [[4 + half, 1], [0, 3]])
    assert data.user_ids.tolist() == ["ann", "bob"]
    assert_array_equal(data.item_ids, [7, 9])
    assert_array_equal(data.timestamp, [30, 40, 20])
    assert data.value_name == "rating"
    assert load_interactions(path, value=None).value_name is None
    X = load_interactions(path, user="item_id", item="user_id", return_X=True)
    assert X.shape == (2, 2)


def test_parquet_agrees_with_the_encoder(tmp_path):
    path = tmp_path / "log.parquet"
    FRAME.to_parquet(path)
    encoder = InteractionEncoder(user="user_id", item="item_id", value="rating")
    data = load_interactions(path)
    assert_array_equal(data.X.toarray(), encoder.fit_transform(FRAME).toarray())


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("user_id", None, "Missing user id: entry 1"),
        ("item_id", None, "Missing item id: entry 1"),
        ("rating", None, "Entry 1 .*value column is None"),
        ("rating", np.inf, "Entry 1 .*value column is inf"),
        ("timestamp", None, "Entry 1 .*timestamp column"),
    ],
)
def test_parquet_bad_rows(tmp_path, column, value, message):
    frame = FRAME.astype(object)
    frame.loc[1, column] = value
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({name: frame[name].tolist() for name in frame}), path)
    with pytest.raises(ValueError, match=rf"log\.parquet: {message}"):
        load_interactions(path)


def test_parquet_columns_and_emptiness(tmp_path):
    path = tmp_path / "log.parquet"
    FRAME.rename(columns={"user_id": "who"}).to_parquet(path)
    with pytest.raises(ValueError, match=r"cannot tell which columns.*'who'"):
        load_interactions(path)
    assert load_interactions(path, user="who").X.shape == (2, 2)
    FRAME.iloc[:0].to_parquet(path)
    with pytest.raises(ValueError, match="is empty"):
        load_interactions(path)


def _save(folder, **arrays):
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "interactions.npz", **arrays)


LOG = {
    "user": np.array([1, 0, 1], np.int32),
    "item": np.array([0, 2, 2], np.int32),
    "rating": np.array([3, 4, 5], np.uint8),
    "timestamp": np.array([20, 5, 10]),
    "split": np.array([0, 1, 2], np.uint8),
    "context": np.arange(6).reshape(3, 2),
    "user_ids": np.array([7, 9], np.int32),
    "item_ids": np.array(["a", "b", "c"]),
}


def test_npz_is_aligned(tmp_path):
    _save(tmp_path / "mine", **LOG)
    for data in (
        load_dataset("mine", data_home=tmp_path),
        load_interactions(tmp_path / "mine" / "interactions.npz"),
    ):
        assert_array_equal(data.X.toarray(), [[0, 0, 4], [3, 0, 5]])
        assert_array_equal(data.user, [0, 1, 1])
        assert_array_equal(data.item, [2, 0, 2])
        assert_array_equal(data.rating, [4, 3, 5])
        assert_array_equal(data.timestamp, [5, 20, 10])
        assert_array_equal(data.split, [1, 0, 2])
        assert_array_equal(data.context, [[2, 3], [0, 1], [4, 5]])
        assert_array_equal(data.user_ids, [7, 9])
        assert_array_equal(data.item_ids, ["a", "b", "c"])
        assert data.value_name == "rating"
        assert data.data is data.X
    data = load_dataset("mine", data_home=tmp_path, dtype=np.float32)
    assert data.X.dtype == np.float32
    assert_array_equal(data.time_rank, [0, 1, 0])
    assert load_dataset("mine", data_home=tmp_path, return_X=True).shape == (2, 3)


def test_npz_duplicates(tmp_path):
    log = {"user": [0, 0, 0], "item": [1, 1, 0], "value": [1, 2, 5], "timestamp": [9, 3, 1]}
    _save(tmp_path / "mine", **log, split=[0, 1, 2])
    path = tmp_path / "mine" / "interactions.npz"
    with pytest.raises(ValueError, match=r"interactions\.npz: Interactions 0 and 1"):
        load_dataset("mine", data_home=tmp_path)
    data = load_interactions(path)
    assert_array_equal(data.X.toarray(), [[5, 3]])
    # What comes with a repeated pair is of its last occurrence in time.
    assert_array_equal(data.timestamp, [1, 9])
    assert_array_equal(data.split, [2, 0])
    assert_array_equal(load_interactions(path, duplicates="last").X.toarray(), [[5, 1]])


def test_npz_without_ids_or_values(tmp_path):
    _save(tmp_path / "mine", user=[2, 0], item=[0, 1])
    data = load_dataset("mine", data_home=tmp_path)
    assert_array_equal(data.X.toarray(), [[0, 1], [0, 0], [1, 0]])
    assert_array_equal(data.user_ids, [0, 1, 2])
    assert data.value_name is None
    assert "rating" not in data
    np.savez(tmp_path / "mine" / "original_ids.npz", user_ids=["x", "y", "z"], item_ids=[5, 6])
    data = load_dataset("mine", data_home=tmp_path)
    assert data.user_ids.tolist() == ["x", "y", "z"]
    assert_array_equal(data.item_ids, [5, 6])


def test_scipy_matrix(tmp_path):
    X = csr_array([[0.0, 2.0], [3.0, 0.0]])
    save_npz(tmp_path / "matrix.npz", X)
    data = load_interactions(tmp_path / "matrix.npz")
    assert_array_equal(data.X.toarray(), X.toarray())
    assert_array_equal(data.item_ids, [0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": None}, r"no 1-D array 'user' of whole numbers.*'item': 'int32\[3\]'"),
        ({"item": np.zeros(3)}, "no 1-D array 'item' of whole numbers"),
        ({"item": np.zeros(2, int)}, "have 3 and 2 entries"),
        ({"user": np.array([0, -1, 1])}, "entry 1 of 'user' is -1"),
        ({"user": np.array([0, 2, 1])}, "'user' goes up to 2, but there are only 2 user_ids"),
        ({"rating": np.array([1, np.nan, 2])}, "entry 1 of 'rating' is nan"),
        ({"rating": np.array([1, 2])}, r"'rating' has dtype .* and shape \(2,\)"),
        ({"user": np.zeros(0, int), "item": np.zeros(0, int)}, "at least one"),
        ({"user": np.array([{}, {}, {}])}, "without pickle"),
    ],
)
def test_bad_npz(tmp_path, change, message):
    arrays = {name: value for name, value in (LOG | change).items() if value is not None}
    _save(tmp_path / "mine", **arrays)
    with pytest.raises(ValueError, match=message):
        load_dataset("mine", data_home=tmp_path)


def test_broken_npz(tmp_path):
    (tmp_path / "interactions.npz").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"cannot be read as \.npz"):
        load_interactions(tmp_path / "interactions.npz")


def test_tables_are_aligned(tmp_path):
    _save(tmp_path / "mine", **LOG)
    (tmp_path / "mine" / "items.csv").write_text(
        'item,code,title,genres,year\n-1,0,never,Drama,1990\n2,005,"C, the film",Drama|War,1999\n'
        "0,7,A,(no genres listed),2000\n"
    )
    (tmp_path / "mine" / "users.csv").write_text("user,age\n1,33\n0,44\n")
    (tmp_path / "mine" / "README.md").write_text("# Mine")
    data = load_dataset("mine", data_home=tmp_path)
    assert data.titles.tolist() == ["A", "", "C, the film"]
    assert data.genres.tolist() == ["(no genres listed)", "", "Drama|War"]
    assert data.genre_names.tolist() == ["Drama", "War"]
    assert_array_equal(data.item_features.toarray(), [[0, 0], [0, 0], [1, 1]])
    assert data.item_table.code.tolist() == ["7", "", "005"]
    assert_array_equal(data.user_table.age, [44, 33])
    assert data.DESCR == "# Mine"


def test_bad_tables(tmp_path):
    _save(tmp_path / "mine", **LOG)
    path = tmp_path / "mine" / "items.csv"
    path.write_text("item,title\n0,A\n1\n")
    with pytest.raises(ValueError, match=r"items\.csv, line 3: found 1 fields, expected 2"):
        load_dataset("mine", data_home=tmp_path)
    path.write_text("movie,title\n0,A\n")
    with pytest.raises(ValueError, match="has no column 'item'"):
        load_dataset("mine", data_home=tmp_path)
    path.write_text("item,title\n3,A\n")
    with pytest.raises(ValueError, match="item 3 is beyond the 3 items"):
        load_dataset("mine", data_home=tmp_path)


def test_no_such_dataset(tmp_path):
    _save(tmp_path / "mine", **LOG)
    with pytest.raises(ValueError, match=r"no data set 'yours' .*Got \['mine'\]"):
        load_dataset("yours", data_home=tmp_path)
    for name in ("../mine", "", None, "a/b"):
        with pytest.raises(ValueError, match="name must be the name of a folder"):
            load_dataset(name, data_home=tmp_path)


def test_tables_of_text(tmp_path):
    path = tmp_path / "file"
    with open(path, "wb") as file:
        write_table(file, {"a": [1, 2], "b": ["x", 'y,"z']})
    assert read_table(path) == {"a": ["1", "2"], "b": ["x", 'y,"z']}


@pytest.mark.parametrize(
    ("name", "shape", "n", "column"),
    [
        ("gowalla", (29858, 40981), 1027370, "split"),
        ("amazon-beauty", (22363, 12101), 198502, "time_rank"),
        ("citeulike-a", (5551, 16980), 204986, None),
        ("jester-1", (24983, 100), 1810455, "rating"),
    ],
)
def test_shared_data(data_home, name, shape, n, column):
    if not (data_home / name).is_dir():
        pytest.skip(f"no {name}")
    data = load_dataset(name, data_home=data_home)
    assert data.X.shape == shape
    assert data.X.nnz == n
    with np.load(data_home / name / "interactions.npz") as file:
        user, item = file["user"], file["item"]
        order = np.lexsort((item, user))
        assert_array_equal(data.user, user[order])
        assert_array_equal(data.item, item[order])
        if column is not None:
            assert_array_equal(data[column], file[column][order])
            assert data[column].shape == data.X.data.shape
