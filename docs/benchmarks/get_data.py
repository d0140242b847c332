"""Where the data sets of the records come from, how they are made, and whether yours are these.

    python docs/benchmarks/get_data.py                                  # list them
    SKREC_DATA=FOLDER python docs/benchmarks/get_data.py verify
    SKREC_DATA=FOLDER python docs/benchmarks/get_data.py make ml-1m/interactions --source DOWNLOADS

Nothing is downloaded: terms want to be read first, so fetch the files named in the list by hand
(MovieLens also by `skrec.datasets.fetch_movielens`). `make` converts them to the form that the
benchmarks read, ``SKREC_DATA/NAME.npz``; `verify` compares every array that is read with the
SHA-256 of the one that the records were made with. No data is part of this repository.

The checksums are of arrays, not of files: of the shape and of the values as 64-bit whole numbers,
so that neither compression nor a dtype changes them. The sources in repositories of GitHub are
named with the commit they were taken at; of some only the first digits are known. The addresses
could not be opened where this was written, and `make` was tried on files written in the
sources' formats, not on the sources; `verify` is what tells.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _conversions import cmn_leave_one_out, gowalla, mcrec_split, movielens, ncf_leave_one_out

from skrec.datasets._movielens import _EDITIONS, _URL


class DataFile(NamedTuple):
    """A file of the data folder.

    Attributes
    ----------
    sources : tuple of str
        Addresses, or repository, commit and path.
    terms : str
    steps : str
        How it is made of the sources.
    make : callable
        ``make(source folder, folder of the data set)`` does that.
    arrays : dict of str to str
        SHA-256 of each array that a benchmark reads.
    by_pair : bool, default=False
        Whether the order of the rows means nothing; they are put in order of user and item.
    remark : str, default=""
    """

    sources: tuple
    terms: str
    steps: str
    make: Callable
    arrays: dict
    by_pair: bool = False
    remark: str = ""


def _movielens(name, edition, arrays, **more):
    md5 = _EDITIONS[edition].md5
    return DataFile(
        (f"{_URL}{name}.zip, md5 {md5} (GroupLens's own)",),
        "GroupLens: research only, no redistribution without permission, no commercial use; cite "
        "Harper and Konstan, TiiS 5(4), 2015",
        f"rows in the order of the file, users and rated movies numbered from 0 in the order of "
        f"their ids: skrec.datasets.fetch_movielens({edition!r}, data_home=SKREC_DATA), or `make` "
        "with the zip in the source folder",
        movielens(name),
        arrays,
        **more,
    )


FILES = {
    "ml-1m/interactions": _movielens(
        "ml-1m",
        "1m",
        {
            "user": "074fce8229764ea74780b0320bc1b59ea0c0c7ff501fb0e0916d5f8dc31c8de7",
            "item": "c497c53d6acb5c3cc54d189993c9b40f7433001c7fb200c0a3f861f71d602617",
            "rating": "1da1613d79b04a36417a47c59a0ec6c0527f3965ddab134a62507b4d00a27601",
            "time_rank": "ae902437f826e625a98a4f0a7deda5b7175d6a6cd05dcd639b1cd8d31c7bb78a",
        },
        remark="time_rank, which only ml1m_ncf reads, came from the ordered files of "
        "https://github.com/chenchongthu/ENSFM/tree/7350fe03a432 (data/ml-1m); ratings of one "
        "second may stand in another order if it is made of the time stamps",
    ),
    "ml-1m/ncf_leave_one_out": DataFile(
        (
            "https://github.com/hexiangnan/neural_collaborative_filtering/tree/"
            "4aab159e81c44b062c091bdaed0ab54ac632371f: Data/ml-1m.test.rating, "
            "Data/ml-1m.test.negative",
        ),
        "those of ml-1m; cite He et al., WWW 2017",
        "NCF's item numbers, which are by first appearance in ratings.dat, become those of "
        "ml-1m/interactions",
        ncf_leave_one_out,
        {
            "test_item": "226e731802582d3d3ac4b135554ebd82d52e9eaa9cf7cd628ce9973cf8703e37",
            "negatives": "407be98bc90966639d59c77bb8f6fcc96268578c73167599dfbf4f10f487c5e1",
        },
    ),
    "ml-100k/interactions": _movielens(
        "ml-100k",
        "100k",
        {
            "user": "2cec177ad3ffdac1d773b106798f5f2fdeca4b35015e78c7f89ac1e2c6c1a5f6",
            "item": "108249d5ba7b6b8ca713e043c2427635597d9f8c1cb722a400cdcf994b0f1d13",
            "rating": "39983d14c36e20c4bd087e732b08936a2be87b127effe332f3ff12750da09a4b",
        },
    ),
    "ml-100k/mcrec_split": DataFile(
        (
            "https://github.com/librahu/MCRec/tree/84282994fb2e: data/ml-100k.train.rating, "
            "data/ml-100k.test.rating",
        ),
        "those of ml-100k; cite Hu et al., KDD 2018",
        "masks over the rows of ml-100k/interactions: the pairs of each file",
        mcrec_split,
        {
            "train": "f35d4f9110e2e5fd05d67203ac5f46b77a9e0efc8afdc4e411681a71a679f310",
            "test": "b3cdc536ab957a507efbf2cfd2ccbcbf5c4f5f0a83a69554f0422e64dd06494e",
        },
    ),
    "gowalla/interactions": DataFile(
        (
            "https://github.com/geon0325/LightGCNpp/tree/a394f79a7aceb8f485f6bcb549b4865fe83f1d49: "
            "data/gowalla/train.txt, data/gowalla/valid.txt",
            "https://github.com/gusye1234/LightGCN-PyTorch/tree/947ca2b3b1d2: "
            "data/gowalla/test.txt",
        ),
        "no licence is stated; check-ins of SNAP, cite Cho, Myers and Leskovec, KDD 2011",
        "split 0 train, 1 valid, 2 test; 0 and 1 together are the training set of NGCF and "
        "LightGCN",
        gowalla,
        {
            "user": "00eb9f46a19201784190390bf928c2a638094f7036d91c0cb0f5a8e106e79ce0",
            "item": "beb6e058cbe4af895472b67291e4bf4b5d5a5a3ff929d4a470333f46ba126d6a",
            "split": "7f37529861ed8a5d718bc6b23db29ba011e39bad897f6444e8dc54a545089886",
        },
        by_pair=True,
    ),
    "citeulike-a/cmn_leave_one_out": DataFile(
        (
            "https://github.com/tebesu/CollaborativeMemoryNetwork/tree/"
            "0cbdc359b3858d40ea2d1090d72bfaca678066fb: data/citeulike-a.npz",
        ),
        "no licence is stated; cite Wang, Chen and Li, IJCAI 2013, and Ebesu et al., SIGIR 2018",
        "training pairs, and of each user the test item and 100 negatives; the file holds a "
        "pickled dict, of which numbers and arrays alone are read",
        cmn_leave_one_out,
        {
            "train": "a939003a3d68d859c783fdf92330af777e541cdf1ee719479dd4a27612bdc74d",
            "test_item": "592468262ce1559fd417c87777f27b7ce5c938c7872c3f6ab22f8bc6821bc4ba",
            "negatives": "413dc455674bc055a3093b214b626fedaac08fc6ed0aabfb6ae286e10f04016e",
        },
    ),
}
# What run_seed_tables.py reads where it is; the records have trials on generated data only.
ELSEWHERE = {
    "ml-20m": f"{_URL}ml-20m.zip, md5 {_EDITIONS['20m'].md5}; GroupLens's terms; downloaded by "
    "fetch_movielens('20m')",
    "netflix": "the Netflix Prize's combined_data_1.txt to combined_data_4.txt, as on "
    "https://www.kaggle.com/datasets/netflix-inc/netflix-prize-data; research only",
    "msd": "train_triplets.txt of the Echo Nest taste profiles, "
    "http://millionsongdataset.com/tasteprofile; research only",
    "pinterest": "https://github.com/hexiangnan/neural_collaborative_filtering: "
    "Data/pinterest-20.train.rating, .test.rating, .test.negative",
}


def digest(array):
    """SHA-256 of the shape and of the values as whole numbers of 64 bits."""
    values = np.ascontiguousarray(array, dtype="<i8")
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()


def digests(path, file):
    """The digests of what a benchmark reads of a file; None for an array that is not there."""
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data.get(name) for name in file.arrays}
    if file.by_pair and arrays["user"] is not None and arrays["item"] is not None:
        order = np.lexsort((arrays["item"], arrays["user"]))
        arrays = {name: None if each is None else each[order] for name, each in arrays.items()}
    return {name: None if each is None else digest(each) for name, each in arrays.items()}


def verify(folder, names):
    """Print what each file is; whether all are the ones of the records."""
    sound = True
    for name in names:
        path = Path(folder) / f"{name}.npz"
        if not path.is_file():
            print(f"{name}: not there, expected {path}")
            sound = False
            continue
        found = digests(path, FILES[name])
        wrong = [each for each, known in FILES[name].arrays.items() if found[each] != known]
        if not wrong:
            print(f"{name}: as in the records")
        else:
            sound = False
            lacks = [each for each in wrong if found[each] is None]
            differs = [each for each in wrong if found[each] is not None]
            said = [f"{what} {', '.join(which)}" for what, which in
                    (("lacks", lacks), ("differs in", differs)) if which]  # fmt: skip
            remark = f" ({FILES[name].remark})" if FILES[name].remark else ""
            print(f"{name}: {' and '.join(said)}{remark}")
    return sound


def show(names):
    """Print where each file comes from."""
    for name in names:
        file = FILES[name]
        print(name)
        for source in file.sources:
            print(f"  from   {source}")
        print(f"  terms  {file.terms}\n  steps  {file.steps}")
        if file.remark:
            print(f"  note   {file.remark}")
        for array, sha256 in file.arrays.items():
            print(f"  sha256 {sha256} {array}{' by user and item' if file.by_pair else ''}")
    print("Not read by any record:")
    for name, text in ELSEWHERE.items():
        print(f"  {name}: {text}")


def _folder():
    if "SKREC_DATA" not in os.environ:
        sys.exit("SKREC_DATA must name the folder of the data sets.")
    return Path(os.environ["SKREC_DATA"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command")
    for command, text in (("list", "where they come from"), ("verify", "compare yours")):
        chosen = commands.add_parser(command, help=text)
        chosen.add_argument("names", nargs="*", metavar="NAME", help="all, if none is given")
    making = commands.add_parser("make", help="convert downloaded files")
    making.add_argument("names", nargs="+", metavar="NAME")
    making.add_argument("--source", required=True, metavar="FOLDER", help="of the downloads")
    making.add_argument("--again", action="store_true", help="overwrite what is there")
    options = parser.parse_args()
    names = getattr(options, "names", None) or list(FILES)
    unknown = [name for name in names if name not in FILES]
    if unknown:
        sys.exit(f"There is no {unknown[0]!r}. There are {', '.join(FILES)}.")
    if options.command in (None, "list"):
        show(names)
        return
    folder = _folder()
    if options.command == "make":
        for name in names:
            path = folder / f"{name}.npz"
            if path.exists() and not options.again:
                sys.exit(f"{path} is there already; --again overwrites it.")
            path.parent.mkdir(parents=True, exist_ok=True)
            FILES[name].make(options.source, path.parent)
    sys.exit(int(not verify(folder, names)))


if __name__ == "__main__":
    main()
