"""WMF beside implicit's and irspack's conjugate-gradient ALS: time for one sweep.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_wmf.py --peer-python PEERS/bin/python

Each model runs in a process of its own on the same matrix of ones (Hu et al.'s weights: 2 on what
is stored, 1 elsewhere), with the same number of factors, of conjugate-gradient steps and of
threads. A sweep solves for all users and all items. Rounds alternate between the models, the
first sweep of each is left out (compilation, cold memory), and the least of the others counts, in
seconds of wall clock and of processor time, which other work on the machine disturbs less. The
objective after the last sweep is computed by one function from the factors of implicit and of
skrec, which start from the same vectors; irspack's model has another scale, so only its time is
compared. Peak memory covers all sweeps in a new process; skrec's includes the code that it compiles
or loads.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _alone import measured_alone
from _data import binary
from _record import peer_versions, write
from scipy.sparse import csr_array, csr_matrix

PENALTY = 10.0
MODELS = ("skrec", "implicit", "irspack")


def clock():
    return time.perf_counter(), time.process_time()


def start(X, options):
    """Vectors that skrec and implicit both start from."""
    items = np.random.default_rng(0).normal(scale=0.01, size=(X.shape[1], options.factors))
    users = np.zeros((X.shape[0], options.factors), dtype=np.float32)
    return users, items.astype(np.float32)


def sweeps_of_skrec(X, options):
    from skrec.decomposition import WMF
    from skrec.utils._wmf_als import alternate

    stamps = []

    def sweeps():
        for sweep in range(options.sweeps):
            stamps.append(clock())
            yield sweep
        stamps.append(clock())

    model = WMF(
        options.factors, alpha=PENALTY, unobserved_weight=1.0, frequency_exponent=0.0,
        cg_steps=options.cg_steps, n_jobs=options.threads, dtype="float32",
    )  # fmt: skip
    model.alpha_ = PENALTY
    users, items = start(X, options)
    steps = model._half_steps(csr_array(X), None)
    alternate(*steps, users, items, None, sweeps(), n_jobs=options.threads)
    return stamps, users, items


def sweeps_of_implicit(X, options):
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        options.factors, regularization=PENALTY, use_cg=True, iterations=options.sweeps,
        num_threads=options.threads, random_state=0,
    )  # fmt: skip
    model.cg_steps = options.cg_steps
    model.user_factors, model.item_factors = start(X, options)
    stamps = [clock()]
    # implicit takes stored values as the whole weight.
    model.fit(2.0 * X, show_progress=False, callback=lambda *_: stamps.append(clock()))
    return stamps, model.user_factors, model.item_factors


def sweeps_of_irspack(X, options):
    from irspack.recommenders.ials import IALSTrainer, str_to_loss_type, str_to_solver_type

    trainer = IALSTrainer(
        X, options.factors, 1.0, PENALTY, 0.0, 0.1, str_to_solver_type("CG"), options.cg_steps, 64,
        str_to_loss_type("ORIGINAL"), 0, options.threads, options.cg_steps, 1,
    )  # fmt: skip
    stamps = [clock()]
    for _ in range(options.sweeps):
        trainer.run_epoch()
        stamps.append(clock())
    return stamps, None, None


def objective(X, users, items):
    """Sum over all cells of c ([stored] - y)^2, plus the penalty, in double precision."""
    users, items = users.astype(np.float64), items.astype(np.float64)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    total = np.vdot(users.T @ users, items.T @ items)
    for start in range(0, X.nnz, 1 << 18):
        part = slice(start, start + (1 << 18))
        y = np.einsum("ef,ef->e", users[rows[part]], items[X.indices[part]])
        total += (2 * (1 - y) ** 2 - y**2).sum()
    return float(total + PENALTY * ((users**2).sum() + (items**2).sum()))


def work(options):
    """Run one model in a process of its own; print its figures as JSON."""
    stored = np.load(options.matrix)
    X = csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=stored["shape"])
    run = globals()[f"sweeps_of_{options.worker}"]
    memory = {}
    with measured_alone(memory):
        stamps, users, items = run(X, options)
    wall, cpu = np.diff(np.array(stamps), axis=0)[1:].min(axis=0)
    row = {"wall_s": float(wall), "cpu_s": float(cpu), "peak_mib": memory["peak_mib"]}
    if users is not None:
        row["objective"] = objective(X, users, items)
    print(json.dumps(row))


def ask(worker, path, factors, options):
    python = sys.executable if worker == "skrec" else options.peer_python
    command = [
        python, __file__, "--worker", worker, "--matrix", str(path), "--factors", str(factors),
        "--cg-steps", str(options.cg_steps), "--threads", str(options.threads),
        "--sweeps", str(options.sweeps),
    ]  # fmt: skip
    # implicit asks for one BLAS thread: its own threads do the work.
    blas = "1" if worker == "implicit" else str(options.threads)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": blas, "OMP_NUM_THREADS": blas}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.strip().splitlines()[-1])


def compare(name, path, factors, options):
    found = {worker: [] for worker in MODELS}
    for _ in range(options.rounds):
        for worker in MODELS:
            found[worker].append(ask(worker, path, factors, options))
    row = {"data": name, "factors": factors, "cg_steps": options.cg_steps}
    for worker, answers in found.items():
        row[worker] = {
            **{key: round(min(a[key] for a in answers), 4) for key in ("wall_s", "cpu_s")},
            **{key: answers[0][key] for key in ("peak_mib", "objective") if key in answers[0]},
        }
    for clock_name in ("wall_s", "cpu_s"):
        peers = min(row[worker][clock_name] for worker in MODELS[1:])
        row[f"times_the_faster_peer_{clock_name}"] = round(peers / row["skrec"][clock_name], 2)
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=["ml-1m", "gowalla"])
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--cg-steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sweeps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--worker", choices=MODELS, help=argparse.SUPPRESS)
    parser.add_argument("--matrix", help=argparse.SUPPRESS)
    parser.add_argument("--print-only", action="store_true", help="record nothing")
    options = parser.parse_args()
    if options.worker:
        options.factors = options.factors[0]
        work(options)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.data:
            X, path = binary(name), Path(folder) / f"{name}.npz"
            np.savez(path, data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape)
            rows += [compare(name, path, factors, options) for factors in options.factors]
    if not options.print_only:
        write(
            "wmf_sweep",
            {
                "what": "one sweep of conjugate-gradient ALS; least of the sweeps and rounds",
                "threads": options.threads,
                "peers": peer_versions(options.peer_python, ["implicit", "irspack"]),
                "rounds": options.rounds,
                "load_average_5_min": round(os.getloadavg()[1], 1),
                "results": rows,
            },
        )


if __name__ == "__main__":
    main()
