"""Tables, texts and pictures of items beside a log."""

import gzip

import numpy as np
import pytest

from skrec.datasets import fetch_movielens, load_dataset


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    np.savez(folder / "interactions.npz", user=[0, 1, 1], item=[1, 3, 0], item_ids=[10, 11, 12, 13])
    return tmp_path


def test_nothing_is_added_unless_asked_for_and_there(home):
    for data in (load_dataset("shop", data_home=home),
                 load_dataset("shop", data_home=home, item_content=True)):  # fmt: skip
        assert not {"item_feature_tables", "item_texts", "item_images"} & set(data)


def test_tables_texts_and_pictures(home):
    np.savez(home / "shop" / "item_features.npz", audio=np.ones((4, 2), np.float16), names=["a"])
    with gzip.open(home / "shop" / "items_text.csv.gz", "wt") as file:
        file.write("item,title,overview\n3,third,about it\n-1,never,none\n0,first,\n")
    (home / "shop-more").mkdir()
    np.savez(home / "shop-more" / "item_features.npz", item=[2, 0], colour=[[1.0], [2.0]])
    pictures = np.random.RandomState(0).randint(256, size=(1, 5, 4, 3)).astype(np.uint8)
    np.savez(home / "shop-more" / "posters.npz", item=[2], images=pictures)
    data = load_dataset("shop", data_home=home, item_content=True)
    tables = data.item_feature_tables
    assert set(tables) == {"audio", "colour"}
    assert {table.dtype for table in tables.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(tables.colour, [[2], [0], [1], [0]])
    assert data.item_texts == ["", "", "", "about it"]
    assert data.item_images.shape == (4, 3, 5, 4)
    np.testing.assert_array_equal(data.item_images[2], pictures[0].transpose(2, 0, 1))
    assert not data.item_images[[0, 1, 3]].any()


def test_paths_by_id(home):
    (home / "shop" / "images").mkdir()
    for name in ("11.jpg", "13.png", "12.txt"):
        (home / "shop" / "images" / name).write_bytes(b"")
    images = load_dataset("shop", data_home=home, item_content=True).item_images
    folder = str(home / "shop" / "images")
    assert images == [None, f"{folder}/11.jpg", None, f"{folder}/13.png"]


def test_items_out_of_range_are_refused(home):
    np.savez(home / "shop" / "item_features.npz", item=[9], colour=[[1.0]])
    with pytest.raises(ValueError, match="positions from 0 to 3"):
        load_dataset("shop", data_home=home, item_content=True)


def test_movielens(data_home):
    if not (data_home / "ml-100k-posters").is_dir():
        pytest.skip("no posters")
    data = fetch_movielens("100k", data_home=data_home, item_content=True)
    assert data.item_images.shape == (1682, 3, 72, 48)
    assert data.item_images.any(axis=(1, 2, 3)).sum() == 1663
    assert data.item_feature_tables.embedding.shape == (1682, 1280)
    assert data.item_texts[0].startswith("Led by Woody")
