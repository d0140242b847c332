"""Run experiments, and write the tables of the documentation from their records.

    python docs/benchmarks/run.py list
    SKREC_DATA=../shared/data python docs/benchmarks/run.py run ml1m_strong/ease
    SKREC_DATA=../shared/data python docs/benchmarks/run.py run ml1m_strong     # all of them
    SKREC_DATA=../shared/data python docs/benchmarks/run.py run bench_topk
    python docs/benchmarks/run.py tables

`experiments.py` lists what there is. Each experiment has a record of its own in results/; what has
one is not run again unless ``--again`` is given. `tables` writes README.md's generated parts and
its picture; ``tables --check`` only says whether they are up to date.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from _picture import draw, is_current
from _record import RESULTS
from _tables import write_tables
from _tuning import compare_all, record_path, run
from experiments import EXPERIMENTS, SCRIPTS

HERE = Path(__file__).parent


def _list():
    for experiment in EXPERIMENTS:
        state = "done" if record_path(experiment).is_file() else "-"
        print(f"{state:5} {experiment.key}")
    for script in SCRIPTS:
        state = "done" if (RESULTS / f"{script.result}.json").is_file() else "-"
        print(f"{state:5} {script.name} {' '.join(script.arguments)}: {script.what}")


def _run(names, again, threads):
    if threads is not None:
        torch.set_num_threads(threads)
    experiments, scripts = [], []
    for name in names:
        of_script = [script for script in SCRIPTS if script.name == name]
        chosen = [each for each in EXPERIMENTS if name in (each.key, each.protocol)]
        if not (of_script or chosen):
            sys.exit(f"There is no experiment {name!r}; `run.py list` names them all.")
        experiments += [each for each in chosen if again or not record_path(each).is_file()]
        scripts += [
            each for each in of_script if again or not (RESULTS / f"{each.result}.json").is_file()
        ]
    for script in scripts:
        command = [sys.executable, str(HERE / f"{script.name}.py"), *script.arguments]
        subprocess.run(command, check=True)
    done = set()
    try:
        for experiment in experiments:
            print(experiment.key, flush=True)
            run(experiment)
            done.add(experiment.protocol)
    finally:
        for protocol in sorted(done):
            compare_all(protocol, EXPERIMENTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is, and what has a record")
    running = commands.add_parser("run", help="run experiments that have no record")
    running.add_argument("names", nargs="+", metavar="NAME", help="an experiment or a protocol")
    running.add_argument("--again", action="store_true", help="also those that have one")
    running.add_argument("--threads", type=int, help="of torch")
    tables = commands.add_parser("tables", help="write README.md's tables from the records")
    tables.add_argument("--check", action="store_true", help="only say whether they differ")
    options = parser.parse_args()
    if options.command == "list":
        _list()
    elif options.command == "run":
        _run(options.names, options.again, options.threads)
    else:
        picture = HERE / "ml1m_strong.svg"
        if not options.check:
            draw("ml1m_strong", picture)
        behind = write_tables(HERE / "README.md", check=options.check)
        sys.exit(behind or int(not is_current("ml1m_strong", picture)))


if __name__ == "__main__":
    main()
