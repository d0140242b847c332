"""A model of RecBole, ready to train on a matrix, for the scripts that compare with it."""

import tempfile
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np


@contextmanager
def trainer(name, X, **config):
    """A trainer of a general recommender of RecBole, and its batches.

    RecBole reads files, so the matrix is written to a folder that goes at the end. Names that NumPy
    no longer has are given back to it before RecBole asks for them.
    """
    import torch

    for old, new in (("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_)):
        setattr(np, old, new)
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.trainer import Trainer

    model = getattr(import_module("recbole.model.general_recommender"), name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "log").mkdir()
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        lines = (f"u{u}\ti{i}\n" for u, i in zip(rows, X.indices, strict=True))
        text = "user_id:token\titem_id:token\n" + "".join(lines)
        (Path(folder) / "log" / "log.inter").write_text(text)
        settings = Config(
            model=name,
            dataset="log",
            config_dict={
                "data_path": folder, "checkpoint_dir": folder, "use_gpu": False,
                "show_progress": False, "load_col": {"inter": ["user_id", "item_id"]},
                "eval_args": {"split": {"RS": [1.0, 0, 0]}, "mode": "full", "order": "RO",
                              "group_by": "user"},
                **config,
            },
        )  # fmt: skip
        train = data_preparation(settings, create_dataset(settings))[0]
        torch.manual_seed(0)
        yield Trainer(settings, model(settings, train.dataset).to("cpu")), train
