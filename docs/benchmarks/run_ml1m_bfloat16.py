"""The effect of ``precision="bfloat16"`` on the ranking: ML-1M, strong generalisation.

    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_bfloat16.py

Protocol and split equal run.py's ml1m_strong. The same model is fitted twice with the same
seed, once with products of matrices in bfloat16; the validation users choose the epoch of each,
as in run_ml1m_autoencoders.py. The difference on the test users is paired, with two standard
errors. A processor without bfloat16 emulates it: the figures hold, the times say nothing.
"""

import torch
from _protocols import PROTOCOLS, ml1m_strong_split
from _record import best_epoch, rounded, write

from skrec.autoencoder import MultDAE
from skrec.metrics import compare, evaluate

METRICS = list(PROTOCOLS["ml1m_strong"].metrics)
MODEL = {"batch_size": 200, "max_iter": 80, "early_stopping": False, "random_state": 0}


def main():
    torch.set_num_threads(1)
    split, results, rows = ml1m_strong_split(), {}, {}
    for precision in ("float32", "bfloat16"):
        model = MultDAE((200,), precision=precision, **MODEL)
        best, row = best_epoch(model, split, METRICS, every=4, patience=12)
        results[precision] = evaluate(best, split.X_test, split.y_test, METRICS)
        rows[precision] = {**row, "test": rounded(results[precision].mean)}
        print(precision, rows[precision], flush=True)
    found = compare(results["bfloat16"], results["float32"])
    write(
        "ml1m_bfloat16",
        {
            "protocol": PROTOCOLS["ml1m_strong"].text,
            "estimator": repr(MultDAE((200,), **MODEL)),
            "precisions": rows,
            "bfloat16 - float32": {
                name: {
                    "difference": round(found[name].difference, 5),
                    "two_standard_errors": round(2 * found[name].standard_error, 5),
                }
                for name in METRICS
            },
        },
    )


if __name__ == "__main__":
    main()
