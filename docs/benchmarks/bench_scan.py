"""Reading a large log into a matrix: time and peak memory of several ways, side by side.

    python docs/benchmarks/bench_scan.py --lines 1000000
    python docs/benchmarks/bench_scan.py --lines 100000000 --folder /data/scan --keep

Lines are generated: `--users` users and `--items` items whose frequencies have a long tail, as
parquet in 16 files and as one CSV, with text ids and with whole numbers. Each way reads user, item
and rating and makes a CSR matrix in float32, in a process of its own. Peak memory is the maximum of
the process (``ru_maxrss``), less its maximum after reading 100,000 lines, when all is imported and
compiled, and less the matrix, in bytes for each line. Results go to ``results/scan.json``, or
another record that ``--record`` names.

The ways: `scan_interactions` and `load_interactions` of skrec; pandas (read, then `factorize`),
polars (lazy scan, dense ranks as codes) and DuckDB (ids numbered by a table of the distinct ones).
These three hand their codes to scipy, and check for neither missing ids nor bad lines.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_FILES = 16
BLOCK = 1_000_000
SMALL = 100_000
WAYS = ("scan", "load", "pandas", "polars", "duckdb")
FORMS = ("parquet-text", "parquet-whole", "csv-text", "csv-whole")


def columns(start, stop, n_users, n_items, text):
    """Some of the lines as columns; the same whatever the blocks."""
    import numpy as np

    rng = np.random.default_rng([0, start])
    n = stop - start
    user = (n_users * rng.random(n) ** 1.5).astype(np.int64)
    item = (n_items * rng.random(n) ** 3).astype(np.int64)
    # Ids are in no order.
    user = (user * 7_368_787 + 11) % n_users
    rating = rng.integers(1, 6, n).astype(np.float32)
    if not text:
        return {"user": user + 1, "item": item + 1, "rating": rating}
    import pyarrow as pa
    import pyarrow.compute as pc

    named = {}
    for name, codes, width in (("user", user, 9), ("item", item, 7)):
        digits = pc.utf8_lpad(pc.cast(pa.array(codes), pa.string()), width, "0")
        named[name] = pc.binary_join_element_wise(name[0], digits, "-")
    return named | {"rating": rating}


def generate(folder, form, args):
    """Write the files of a form unless they are there."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    kind, ids = form.split("-")
    path = folder / f"{form}-{args.lines}-{args.users}-{args.items}"
    if path.exists():
        return path
    part = path.with_name(f".{path.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    n_files = N_FILES if kind == "parquet" else 1
    bounds = [args.lines * place // n_files for place in range(n_files + 1)]
    for place in range(n_files):
        writer = None
        for start in range(bounds[place], bounds[place + 1], BLOCK):
            stop = min(start + BLOCK, bounds[place + 1])
            table = pa.table(columns(start, stop, args.users, args.items, ids == "text"))
            if writer is None:
                name = str(part / f"part-{place:02d}.{kind}")
                make = pq.ParquetWriter if kind == "parquet" else pyarrow.csv.CSVWriter
                writer = make(name, table.schema)
            writer.write_table(table)
        writer.close()
    part.rename(path)
    return path


def read_scan(folder, form):
    """skrec, in batches."""
    from skrec.datasets import scan_interactions

    return scan_interactions(folder, timestamp=None, return_X=True)


def read_load(folder, form):
    """skrec, all columns at once."""
    from skrec.datasets import load_interactions

    return load_interactions(folder, timestamp=None, return_X=True)


def to_csr(user, item, rating, shape):
    """Codes -> CSR."""
    import numpy as np
    from scipy.sparse import coo_array

    X = coo_array((np.asarray(rating, np.float32), (user, item)), shape=shape).tocsr()
    X.sum_duplicates()
    return X


def read_pandas(folder, form):
    """pandas: read, factorize."""
    import pandas as pd

    if form.startswith("parquet"):
        frame = pd.read_parquet(folder, columns=["user", "item", "rating"])
    else:
        frame = pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))])
    user, users = pd.factorize(frame["user"], sort=True)
    item, items = pd.factorize(frame["item"], sort=True)
    rating = frame["rating"].to_numpy()
    del frame
    return to_csr(user.astype("int32"), item.astype("int32"), rating, (len(users), len(items)))


def read_polars(folder, form):
    """polars: a dense rank of the ids in a lazy frame."""
    import polars as pl

    scan = pl.scan_parquet if form.startswith("parquet") else pl.scan_csv
    frame = scan(str(folder / f"*.{form.split('-')[0]}"))
    frame = frame.select(
        (pl.col("user").rank("dense") - 1).cast(pl.Int32),
        (pl.col("item").rank("dense") - 1).cast(pl.Int32),
        pl.col("rating").cast(pl.Float32),
    ).collect()
    user, item, rating = (frame[name].to_numpy() for name in ("user", "item", "rating"))
    return to_csr(user, item, rating, (int(user.max()) + 1, int(item.max()) + 1))


def read_duckdb(folder, form):
    """DuckDB: number the distinct ids, join, fetch the codes."""
    import duckdb

    kind = form.split("-")[0]
    base = duckdb.connect()
    base.execute(f"set threads={os.environ.get('OMP_NUM_THREADS', 2)}")
    source = f"read_{kind}('{folder}/*.{kind}')"
    for name in ("user", "item"):
        base.execute(
            f'create table "{name}s" as select id, (row_number() over (order by id) - 1)::int as '
            f'code from (select distinct "{name}" as id from {source})'
        )
    found = base.execute(
        f"select u.code as user, i.code as item, rating::float as rating from {source} s "
        'join "users" u on s."user" = u.id join "items" i on s.item = i.id'
    ).fetchnumpy()
    user, item = found["user"], found["item"]
    return to_csr(user, item, found["rating"], (int(user.max()) + 1, int(item.max()) + 1))


def in_this_process(way, folder, form):
    """Read once; print what it took."""
    read = globals()[f"read_{way}"]
    small = argparse.Namespace(lines=SMALL, users=SMALL // 30, items=SMALL // 10)
    read(generate(folder.parent, form, small), form)  # imports, and compiles or loads kernels
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    X = read(folder, form)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = {
        "seconds": round(seconds, 3),
        "processor_seconds": round(processor, 3),
        "extra_bytes": (after.ru_maxrss - before.ru_maxrss) * 1024,
        "matrix_bytes": X.data.nbytes + X.indices.nbytes + X.indptr.nbytes,
        "shape": list(X.shape),
        "entries": int(X.nnz),
        "sum": float(X.sum(dtype="float64")),
    }
    print(json.dumps(found))


def measure(way, folder, form, args):
    """The best of some runs, each in a process of its own; the matrix must be the same."""
    best = None
    for _ in range(args.repeats):
        command = [sys.executable, __file__, "--one", way, "--folder", str(folder), "--form", form]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return {"error": done.stderr.strip().splitlines()[-1:] or [f"{done.returncode}"]}
        row = json.loads(done.stdout.splitlines()[-1])
        best = row if best is None or row["processor_seconds"] < best["processor_seconds"] else best
    beyond = best["extra_bytes"] - best["matrix_bytes"]
    best["bytes_a_line_beyond_matrix"] = round(beyond / args.lines, 1)
    best["nanoseconds_a_line"] = round(1e9 * best["processor_seconds"] / args.lines, 1)
    return best


def main():
    """Generate, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, help="default: a thirtieth of the lines")
    parser.add_argument("--items", type=int, help="default: the root of the lines, times 20")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the files are; default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="do not delete the files")
    parser.add_argument("--no-record", action="store_true", help="only print")
    parser.add_argument("--record", default="scan", help="name of the record")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--form", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        in_this_process(args.one, args.folder, args.form)
        return
    args.users = args.users or max(args.lines // 30, 10)
    args.items = args.items or max(int(20 * args.lines**0.5), 10)
    root = args.folder or Path(tempfile.mkdtemp(prefix="skrec-scan-"))
    found = {}
    try:
        for form in args.forms.split(","):
            folder = generate(root, form, args)
            rows = {way: measure(way, folder, form, args) for way in args.ways.split(",")}
            found[form] = rows
            for way, row in rows.items():
                print(form, way, row, flush=True)
            sums = {(row["sum"], row["entries"]) for row in rows.values() if "sum" in row}
            if len(sums) > 1:
                sys.exit(f"{form}: the matrices differ: {sums}")
            if not args.keep:
                shutil.rmtree(folder)
            if not args.no_record:  # after each form: a run that is stopped keeps what it has
                from _record import write

                size = {"lines": args.lines, "users": args.users, "items": args.items}
                write(args.record, size | {"repeats": args.repeats, "forms": found})
    finally:
        if args.folder is None and not args.keep:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
