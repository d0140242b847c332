"""Pictures, arrays or files, as batches of bytes."""

import sys

import numpy as np
import pytest

from skrec.utils._images import Images
from skrec.utils._side_information import check_items

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def pixels():
    rng = np.random.RandomState(0)
    coarse = rng.randint(256, size=(5, 3, 4, 3)).astype(np.uint8)
    return coarse.repeat(6, axis=2).repeat(6, axis=3)  # (5, 3, 24, 18)


def _saved(folder, pixels, name, **options):
    path = folder / name
    Image.fromarray(pixels.transpose(1, 2, 0)).save(path, **options)
    return path


@pytest.fixture
def paths(tmp_path, pixels):
    return [_saved(tmp_path, one, f"{i}.png") for i, one in enumerate(pixels)]


def test_arrays_and_files_are_the_same(pixels, paths):
    whole = Images(pixels)
    np.testing.assert_array_equal(whole[:], pixels)
    np.testing.assert_array_equal(Images(pixels / 255)[[3, 0]], pixels[[3, 0]])
    np.testing.assert_array_equal(Images(pixels.astype(np.float32) / 255)[:], pixels)
    np.testing.assert_array_equal(Images(paths, (24, 18))[:], pixels)
    names = np.array([str(path) for path in paths])
    np.testing.assert_array_equal(Images(names, (24, 18))[1:], pixels[1:])
    for n_jobs in (1, 3):
        files = Images(paths, (10, 7), n_jobs=n_jobs)
        np.testing.assert_array_equal(files[:], Images(pixels, (10, 7), n_jobs=n_jobs)[:])
    assert len(files) == 5
    assert files[[2]].dtype == np.uint8
    np.testing.assert_array_equal(files.one(2), files[[2]][0])


def test_own_sizes(tmp_path, pixels, paths):
    mixed = Images([*paths, _saved(tmp_path, pixels[0, :, :5, :3], "small.png")])
    assert mixed.one(5).shape == (3, 5, 3)
    with pytest.raises(ValueError, match=r"may differ in size.*image_size"):
        mixed[[0, 5]]


def test_batches_are_in_order(pixels):
    images = Images(pixels, 8)
    parts = list(images.batches(2))
    assert [batch for batch, _ in parts] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), images[:])


def test_a_constant_stays_what_it_is_when_resized():
    constant = np.full((1, 3, 30, 20), 77, np.uint8)
    assert (Images(constant, 8)[:] == 77).all()


def test_grey_is_repeated(tmp_path):
    grey = np.arange(24, dtype=np.uint8).reshape(1, 1, 6, 4)
    Image.fromarray(grey[0, 0]).save(tmp_path / "grey.png")
    expected = np.broadcast_to(grey, (1, 3, 6, 4))
    np.testing.assert_array_equal(Images(grey)[:], expected)
    np.testing.assert_array_equal(Images([tmp_path / "grey.png"], (6, 4))[:], expected)


def test_what_is_transparent_is_white_and_cameras_that_lay_on_their_side_are_turned(tmp_path):
    over = np.zeros((4, 4, 4), np.uint8)
    over[:2, :, 3] = 255  # the upper half is black, the lower one not there
    Image.fromarray(over).save(tmp_path / "over.png")
    found = Images([tmp_path / "over.png"]).one(0)
    assert (found[:, :2] == 0).all()
    assert (found[:, 2:] == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    pixels = np.arange(18, dtype=np.uint8).reshape(3, 2, 3)
    turned = Images([_saved(tmp_path, pixels, "turned.png", exif=exif)]).one(0)
    np.testing.assert_array_equal(turned, np.rot90(pixels, -1, axes=(1, 2)))


def test_a_large_jpeg_is_decoded_small_and_nearly_the_same(tmp_path, pixels):
    large = pixels[:1].repeat(20, axis=2).repeat(20, axis=3)
    path = _saved(tmp_path, large[0], "large.jpg", quality=95)
    found = Images([path], (12, 9))[:].astype(int)
    assert abs(found - Images(large, (12, 9))[:]).mean() < 6


def test_items_without_a_picture(paths):
    images = Images([None, paths[0], None], 6)
    assert not images[[0, 2]].any()
    assert images[[1]].any()
    assert check_items([None, paths[0]], 2, images=True) == [None, str(paths[0])]
    with pytest.raises(ValueError, match="Expected an array of pictures"):
        Images([None, None])


def test_broken_and_missing_files_are_named_at_once(tmp_path, paths):
    with pytest.raises(ValueError, match=r"no picture '.*gone.png'. Pass None"):
        Images([*paths, tmp_path / "gone.png"])
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"'.*text.png' cannot be read"):
        Images([*paths, tmp_path / "text.png"])
    noise = np.random.RandomState(0).randint(256, size=(3, 64, 64)).astype(np.uint8)
    for name in ("cut.jpg", "cut.png"):
        whole = _saved(tmp_path, noise, name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=f"'.*{name}' cannot be read"):
            Images([*paths, tmp_path / name])
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match="pixels are no bytes"):
        Images([tmp_path / "deep.png"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 5, 6, 3), np.uint8), r"\(n, c, h, w\).*Got shape.*transpose\(0, 3, 1, 2\)"),
        (np.zeros((2, 4, 6, 6), np.uint8), "c = 1 or c = 3.*drop other channels"),
        (np.zeros((2, 6)), r"\(n, c, h, w\)"),
        (np.zeros((2, 3, 0, 6)), "at least one pixel"),
        (np.zeros((2, 3, 6, 6), int), r"dtype int64; use astype\(numpy.uint8\)"),
        (np.full((2, 3, 6, 6), 255.0), "from 0 to 1. Got values from 255 to 255; divide"),
        (np.full((2, 3, 6, 6), np.nan), "finite"),
        ("one.png", "put a single path into a list"),
        ([np.zeros((3, 4, 4))], "np.stack"),
        ([], "Got 0 entries"),
    ],
)
def test_what_is_no_pictures_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Images(wrong)


def test_without_pillow(monkeypatch, pixels, paths):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    np.testing.assert_array_equal(Images(pixels)[:], pixels)
    with pytest.raises(ImportError, match=r"scikit-recsys\[images\]"):
        Images(pixels, 8)
    with pytest.raises(ImportError, match="needs Pillow"):
        Images(paths, 8)
