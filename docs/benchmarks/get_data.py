"""Where the data sets of the records come from, how they are made, and whether yours are these.

    python docs/benchmarks/get_data.py                                  # list them
    SKREC_DATA=FOLDER python docs/benchmarks/get_data.py verify
    SKREC_DATA=FOLDER python docs/benchmarks/get_data.py make ml-1m/interactions --source DOWNLOADS

Nothing is downloaded: read the terms first, then fetch the files named in the list by hand
(MovieLens also by `skrec.datasets.fetch_movielens`). `make` converts them to the form that the
benchmarks read, ``SKREC_DATA/NAME.npz``, or a text under its own name. `verify` compares the
SHA-256 of every array that is read with the SHA-256 of the array behind the records. No data is
part of this repository.

The checksums are of arrays, not of files: of the shape and of the values as 64-bit whole numbers,
or as 64-bit floats where there are fractions, so that neither compression nor a dtype changes
them. The checksum of a text (.csv, .csv.gz, .txt) is of the unpacked text. Sources on GitHub are
named with the commit that they were taken at; for some commits only the first digits are known. The
addresses could not be opened where this was written, and `make` was tried on files written in the
sources' formats, not on the sources; `verify` tells whether it worked.
"""

import argparse
import gzip
import hashlib
import os
import sys
from pathlib import Path

import numpy as np
from _data_files import ELSEWHERE, FILES


def digest(array):
    """SHA-256 of the shape and of the values as whole numbers, or floats, of 64 bits."""
    values = np.asarray(array)
    has_fractions = values.dtype.kind == "f" and (values != np.trunc(values)).any()
    values = np.ascontiguousarray(values, dtype="<f8" if has_fractions else "<i8")
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()


def path_of(folder, name):
    """Where a file lies in the data folder; names of arrays go without .npz."""
    return Path(folder) / (name if "." in name.rpartition("/")[2] else f"{name}.npz")


def digests(path, file):
    """The digests of a file's arrays that benchmarks read; None for an array that is missing."""
    if path.suffix != ".npz":
        text = path.read_bytes()
        text = gzip.decompress(text) if path.suffix == ".gz" else text
        return {"text": hashlib.sha256(text).hexdigest()}
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data.get(name) for name in file.arrays}
    if file.by_pair and arrays["user"] is not None and arrays["item"] is not None:
        order = np.lexsort((arrays["item"], arrays["user"]))
        arrays = {name: None if each is None else each[order] for name, each in arrays.items()}
    return {name: None if each is None else digest(each) for name, each in arrays.items()}


def verify(folder, names):
    """Print the state of each file; return whether all equal the files of the records."""
    sound = True
    for name in names:
        path = path_of(folder, name)
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
            path = path_of(folder, name)
            if path.exists() and not options.again:
                sys.exit(f"{path} is there already; --again overwrites it.")
            path.parent.mkdir(parents=True, exist_ok=True)
            FILES[name].make(options.source, path.parent)
    sys.exit(int(not verify(folder, names)))


if __name__ == "__main__":
    main()
