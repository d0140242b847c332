"""What a comparison of models has found, and how it is shown."""

import math

from skrec.metrics._comparison._paired import best_first, paired_tests
from skrec.metrics._comparison._table import format_remarks, format_table
from skrec.metrics._comparison._verdict import verdict
from skrec.metrics._results import metric_label, short_number


class Comparison:
    """Several models that were tested on the same users; `compare_models` makes it.

    Printed, it is a table; in a notebook, one of HTML. `to_frame` makes a data frame of
    it, `plot` draws it, `to_html` writes a report that is one file.

    Parameters
    ----------
    runs : list
        Models that were fitted and tested, as `compare_models` notes them.
    metrics : list of str
        Those of the table.
    main_metric : str
        The one that orders the models.
    baseline : str, default=None
        The model that the others are tested against. None: the best, in each metric.
    failures : dict of str to str, default=None
        Why models failed, by name.
    not_searched : list of str, default=()
        Models that had nothing to search.
    search_metric : str, default=None
        What the search looked at; None where there was none.
    sample : ndarray of int of shape (n_sample,), default=None
        Rows of the test users whose lists are shown in the report.
    shown, held_out : csr_array of shape (n_sample, n_items), default=None
        What is shown of them and held out from them.

    Attributes
    ----------
    names : list of str
        Of the models, best first by `main_metric`.
    results : dict of str to Bunch
        What `evaluate` returned, by name: values of each user, means, standard errors; for
        shorter lists than asked for, too.
    tests : dict of str to dict of str to Bunch
        By name and metric, what `compare` returns for a model and the baseline (or the best),
        with `holm_p_value`, the p-value after Holm's correction for the number of models,
        and `against`. The interval is that of the t distribution at 95 %, not corrected.
    per_user : dict of str to dict of str to ndarray of shape (n_users,)
        Values of each user, by name and metric.
    fit_seconds, predict_seconds : dict of str to float
        By the clock: of the fit with the parameters chosen, without the search; of
        scoring and ranking all test users and computing the metrics. Compiling and
        importing are not in them: a small sample was fitted before. NaN for a model that
        was not fitted here.
    peak_bytes : dict of str to int or None
        What the fit took at its peak beyond what there was: on Linux the high-water mark
        of the process's resident memory, reset before; elsewhere the mark of the whole process
        where it rose. None if it did not, or was not told. A GPU's memory is not in it.
    parameters : dict of str to str
        The fitted models as Python prints them.
    chosen : dict of str to dict
        Parameters that a search has chosen; empty without.
    trials : dict of str to list
        Settings that were tried, each with `parameters`, `scores` and `remark`.
    fit_commands : dict of str to str
        Python that makes and fits each model, ready to copy.
    estimators : dict of str to estimator
        Fitted, where `compare_models` was asked to keep them.
    n_users : int
        Test users that `main_metric` could evaluate.

    See Also
    --------
    compare_models : Makes it.

    Examples
    --------
    >>> from skrec.datasets import make_interactions
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.metrics import compare_models
    >>> X = make_interactions(200, 60, random_state=0, return_X=True)
    >>> found = compare_models([EASE(20.0), DummyRecommender()], X, X, metrics="ndcg@10")
    >>> found
    Comparison(EASE: nDCG@10 ..., DummyRecommender: ...)
    >>> print(found)
    model              ndcg@10 ...
    """

    def __init__(
        self,
        runs,
        *,
        metrics,
        main_metric,
        baseline=None,
        failures=None,
        not_searched=(),
        search_metric=None,
        sample=None,
        shown=None,
        held_out=None,
    ):
        by_name = {run.name: run for run in runs}
        results = {name: run.result for name, run in by_name.items()}
        self.metrics, self.main_metric = list(metrics), main_metric
        # A baseline that failed cannot be compared with; its failure is told.
        self.baseline = baseline if baseline in results else None
        self.failures, self.not_searched = dict(failures or {}), list(not_searched)
        self.search_metric = search_metric
        self.names = best_first(results, main_metric)
        self.results = {name: results[name] for name in self.names}
        self.tests = self._all_tests()
        self.per_user = {name: result.per_user for name, result in self.results.items()}
        self.n_users = self.results[self.names[0]].n_users[main_metric]
        for attribute in ("fit_seconds", "predict_seconds", "peak_bytes", "parameters", "chosen",
                          "trials"):  # fmt: skip
            found = {name: getattr(by_name[name], attribute) for name in self.names}
            setattr(self, attribute, found)
        self.fit_commands = {name: by_name[name].fit_command for name in self.names}
        self.estimators = {
            name: by_name[name].estimator
            for name in self.names
            if by_name[name].estimator is not None
        }
        self._lists = {name: by_name[name].lists for name in self.names}
        self._sample, self._shown, self._held_out = sample, shown, held_out

    def _all_tests(self):
        tests = {name: {} for name in self.names}
        for metric in self.metrics:
            reference = self.baseline or self.best(metric)
            for name, test in paired_tests(self.results, metric, reference).items():
                tests[name][metric] = test
        return tests

    def best(self, metric):
        """Find the model with the best mean.

        Parameters
        ----------
        metric : str
            One of `metrics`.

        Returns
        -------
        name : str
            Of the model.
        """
        return best_first(self.results, metric)[0]

    @property
    def verdict(self):
        """What was found, in sentences."""
        return " ".join(verdict(self))

    def __repr__(self):
        label = metric_label(self.main_metric)
        models = [
            f"{name}: {label} {short_number(self.results[name].mean[self.main_metric], 4)}"
            for name in self.names
        ]
        failed = [f"{name}: failed" for name in self.failures]
        return f"Comparison({', '.join([*models, *failed])}; {self.n_users:,} users)"

    def __str__(self):
        return self.to_text().rstrip("\n")

    def _repr_html_(self):
        from skrec.metrics._comparison._report import render_table

        return render_table(self)

    def to_text(self, *, bold=False, failures=True):
        """Write the table, its legend, chosen parameters and failures as text.

        Parameters
        ----------
        bold : bool, default=False
            Whether the best is bold, by a terminal's escape codes; else a star stands before
            it.
        failures : bool, default=True
            Whether to tell what failed.

        Returns
        -------
        text : str
            Ends in a line break.
        """
        return format_table(self, ansi=bold) + format_remarks(self, failures=failures)

    def to_frame(self):
        """Make a data frame of it, one row a model.

        Returns
        -------
        frame : pandas.DataFrame
            Index: names, best first, then the models that failed. Columns: of each metric the
            mean, and after its name "_standard_error", "_difference" and "_p_value" (after
            Holm's correction; NaN for what the others are tested against), and where nothing is
            known of some test users "_known" and "_unknown", means of both kinds; "fit_seconds",
            "predict_seconds", "peak_bytes", "parameters" and "failure".

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "Comparison.to_frame needs pandas, which is not installed. Install it with "
                "`pip install pandas`, or read `results`, `tests` and the other attributes."
            ) from error
        rows = {name: self._frame_row(name) for name in self.names}
        rows |= {name: {"failure": reason} for name, reason in self.failures.items()}
        columns = list(rows[self.names[0]])
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("model")

    def _frame_row(self, name):
        row = {}
        for metric in self.metrics:
            test = self.tests[name].get(metric)
            row[metric] = self.results[name].mean[metric]
            row[f"{metric}_standard_error"] = self.results[name].standard_error[metric]
            row[f"{metric}_difference"] = math.nan if test is None else test.difference
            row[f"{metric}_p_value"] = math.nan if test is None else test.holm_p_value
            row |= {f"{metric}_{part}": mean for part, mean in self._parts(name, metric).items()}
        memory = self.peak_bytes[name]
        return row | {
            "fit_seconds": self.fit_seconds[name],
            "predict_seconds": self.predict_seconds[name],
            "peak_bytes": math.nan if memory is None else memory,
            "parameters": self.parameters[name],
            "failure": None,
        }

    def _parts(self, name, metric):
        """Means over users of whom something is known, and nothing; none where all are known."""
        if not any(result.get("n_unknown", {}).get(metric) for result in self.results.values()):
            return {}
        result = self.results[name]
        return {"known": result.mean_known[metric], "unknown": result.mean_unknown[metric]}

    def to_dict(self):
        """Make plain values of it, as a JSON file takes them.

        Returns
        -------
        content : dict
            "metrics", "main_metric", "n_users", and "models": of each, best first, its name,
            parameters, scores (by metric: mean, standard error, p-value after Holm's
            correction), times, peak memory and what a search tried. None for NaN.
        """
        return {
            "metrics": self.metrics,
            "main_metric": self.main_metric,
            "n_users": self.n_users,
            "models": [self._as_dict(name) for name in self.names],
        }

    def _as_dict(self, name):
        result, tests = self.results[name], self.tests[name]
        scores = {
            metric: {
                "mean": _plain(result.mean[metric]),
                "standard_error": _plain(result.standard_error[metric]),
                "p_value": _plain(tests[metric].holm_p_value) if metric in tests else None,
                **{
                    f"mean_{part}": _plain(mean) for part, mean in self._parts(name, metric).items()
                },
            }
            for metric in self.metrics
        }
        return {
            "name": name,
            "parameters": self.parameters[name],
            "scores": scores,
            "fit_seconds": _plain(self.fit_seconds[name]),
            "predict_seconds": _plain(self.predict_seconds[name]),
            "peak_bytes": self.peak_bytes[name],
            "search": [
                {"params": trial.parameters, "score": _plain(trial.score)}
                for trial in self.trials[name]
            ],
        }

    def plot(self, metric=None, *, against=None, ax=None):
        """Draw a metric of all models.

        Parameters
        ----------
        metric : str, default=None
            One of `metrics`. None: the one that orders the models.
        against : {"k", "fit_seconds", "predict_seconds", "peak_bytes"}, default=None
            "k": the lengths of the list up to that of the metric. None: the models stand
            below each other.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : ComparisonDisplay or RankingCurveDisplay
            A RankingCurveDisplay for ``against="k"``.

        Raises
        ------
        ValueError
            If the metric is none of `metrics`, or has no length.
        """
        from skrec.metrics._plot._comparison import ComparisonDisplay
        from skrec.metrics._plot._ranking_curve import RankingCurveDisplay

        if against == "k":
            kind = (metric or self.main_metric).partition("@")[0]
            return RankingCurveDisplay.from_results(self.results, metric=kind, ax=ax)
        return ComparisonDisplay.from_comparison(self, metric=metric, against=against, ax=ax)

    def to_html(
        self,
        path=None,
        *,
        title="Recommenders compared",
        facts=(),
        command=None,
        fit_commands=None,
        item_names=None,
        user_names=None,
    ):
        """Write a report: one HTML file that needs nothing else.

        With plots where matplotlib is installed. All text is escaped.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write, replaced only when the report is complete. None: none.
        title : str, default="Recommenders compared"
            Heading.
        facts : list of (str, str), default=()
            What to say about data and split, as label and text.
        command : str, default=None
            The command that made it.
        fit_commands : dict of str to str, default=None
            How to fit each model, by name. None: the lines of Python.
        item_names, user_names : array-like of str of shape (n_items,) and (n_users,), \
                default=None
            Titles of the columns and names of the test users, for the sample lists. None:
            their numbers.

        Returns
        -------
        html : str
            The text of the file.

        Raises
        ------
        ValueError
            If there are not as many names as items.
        """
        from skrec.metrics._comparison._report import render_report
        from skrec.utils._files import atomic_text

        html = render_report(
            self,
            title=title,
            facts=facts,
            command=command,
            fit_commands=fit_commands,
            item_names=item_names,
            user_names=user_names,
        )
        if path is not None:
            with atomic_text(path) as file:
                file.write(html)
        return html


def _plain(value):
    return None if value is None or math.isnan(value) else float(value)
