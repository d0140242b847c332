"""LightGCN on Gowalla, hundreds of epochs: a fit that continues where it was stopped.

    SKREC_DATA=../shared/data python docs/benchmarks/run_gowalla_lightgcn.py --minutes 25

Learns from LightGCN's training set and looks at its test set after every so many epochs
(``--part test``), or from split 0 and looks at split 1 (``--part validation``). Nothing is chosen
by the test curve: the figure is the last epoch's, the earlier epochs show the way there. After each
look the model is saved, and the record written; a further call continues from there, until there
are `--epochs`. One call ends after `--minutes`. Settings that differ from the saved model's are
refused; ``--again`` begins anew.

Batches are eight times the paper's, with a learning rate ten times as large, which makes an epoch
several times as short. Rate, size and penalty were chosen on an eighth of the validation users.
"""

import argparse
import json
import sys
import time

from _protocols import PROTOCOLS
from _record import RESULTS, environment, rounded, timed

import skrec
from skrec.neural_network import LightGCN

NAME = "gowalla_lightgcn"
CHECKPOINTS = RESULTS / "per_user"  # not under version control


def settings(options):
    return {
        "n_components": options.n_components,
        "n_layers": options.n_layers,
        "alpha": options.alpha,
        "learning_rate": options.learning_rate,
        "batch_size": options.batch_size,
    }


def resumed(options, checkpoint):
    """The model as it is, fitted or not, and its row of the record."""
    path = RESULTS / f"{NAME}.json"
    known = json.loads(path.read_text())["parts"] if path.is_file() else {}
    row = known.get(options.part)
    if row is None or options.again or not checkpoint.is_file():
        row = {"settings": settings(options), "epochs": 0, "processor_seconds": 0.0, "curve": []}
        return LightGCN(**row["settings"], warm_start=True, device="cpu"), row
    if row["settings"] != settings(options):
        sys.exit(f"The saved model has {row['settings']}: use these, or --again.")
    return skrec.load(checkpoint), row


def go_on(options):
    protocol = PROTOCOLS["gowalla"]
    part = getattr(protocol.problem(), options.part)
    checkpoint = CHECKPOINTS / f"{NAME}_{options.part}.skrec"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    model, row = resumed(options, checkpoint)
    began = time.monotonic()
    while row["epochs"] < options.epochs and time.monotonic() - began < 60 * options.minutes:
        n_epochs = min(options.every, options.epochs - row["epochs"])
        cost = {}
        with timed(cost):  # another seed each time: the same one would draw the same triplets
            model.set_params(max_iter=n_epochs, random_state=row["epochs"]).fit(part.X_train)
        row["epochs"] = model.n_iter_
        row["processor_seconds"] = round(row["processor_seconds"] + cost["processor_seconds"], 1)
        found = part.evaluate(model, list(protocol.metrics))
        row["curve"].append(
            {"epoch": model.n_iter_, "loss": round(model.loss_curve_[-1], 5)} | rounded(found.mean)
        )
        print(row["curve"][-1], row["processor_seconds"], flush=True)
        skrec.save(model, checkpoint)
        keep(options.part, row)


def keep(part, row):
    """Write the record with the row of a part; the other part's row stays."""
    path = RESULTS / f"{NAME}.json"
    known = json.loads(path.read_text())["parts"] if path.is_file() else {}
    known[part] = row
    record = {
        "environment": environment(),
        "what": "LightGCN on Gowalla, LightGCN's split: curve by epoch on split 1, of a model of "
        "split 0 (validation), and on split 2, of a model of both (test); recall by the number "
        "of relevant items; nothing is chosen by the test curve",
        "parts": {name: known[name] for name in sorted(known)},
    }
    path.write_text(json.dumps(record, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", default="test", choices=["validation", "test"])
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--every", type=int, default=25)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--n-components", type=int, default=64)
    parser.add_argument("--n-layers", type=int, default=3)
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--batch-size", type=int, default=16_384)
    go_on(parser.parse_args())


if __name__ == "__main__":
    main()
