"""The results of a comparison of models, and their presentation."""

import math

from skrec.metrics._comparison._paired import best_first, paired_tests
from skrec.metrics._comparison._table import format_remarks, format_table
from skrec.metrics._comparison._verdict import verdict
from skrec.metrics._results import metric_label, short_number


class Comparison:
    """Results of several models on the same test users; `compare_models` returns it.

    It prints as a table, and in a notebook as an HTML table. `to_frame` returns a data frame,
    `plot` draws it, and `to_html` writes a report in one file.

    Parameters
    ----------
    runs : list
        Records of fitted and tested models, made by `compare_models`.
    metrics : list of str
        Metrics of the table.
    main_metric : str
        The metric that orders the models.
    baseline : str, default=None
        The model that the others are tested against. None: the best model of each metric.
    failures : dict of str to str, default=None
        Reasons of the failed models, by name.
    not_searched : list of str, default=()
        Models without a grid to search.
    search_metric : str, default=None
        The metric of the search; None without a search.
    sample : ndarray of int of shape (n_sample,), default=None
        Rows of the test users whose lists the report shows.
    shown, held_out : csr_array of shape (n_sample, n_items), default=None
        The visible and the held-out interactions of these users.

    Attributes
    ----------
    names : list of str
        Names of the models, best first by `main_metric`.
    results : dict of str to Bunch
        Results of `evaluate`, by name: values of each user, means, standard errors; also for lists
        shorter than those asked for.
    tests : dict of str to dict of str to Bunch
        By name and metric, the result of `compare` for the model and the baseline (or the best
        model). It also has `holm_p_value`, the p-value after Holm's correction for the number of
        models, and `against`. The interval is a 95 % interval of the t distribution, not
        corrected.
    per_user : dict of str to dict of str to ndarray of shape (n_users,)
        Values of each user, by name and metric.
    fit_seconds, predict_seconds : dict of str to float
        Wall-clock time of the fit with the chosen parameters, without the search; and of scoring
        and ranking all test users and computing the metrics. A small fit beforehand keeps
        compiling and importing out of the times. NaN for a model that was not fitted here.
    peak_bytes : dict of str to int or None
        Peak memory of the fit beyond the memory in use before it. On Linux this is the high-water
        mark of the process's resident memory, which is reset before the fit. Elsewhere it is the
        mark of the whole process, if the fit raised it. None if not, or if it is not available.
        GPU memory does not count.
    parameters : dict of str to str
        The fitted models as Python code.
    chosen : dict of str to dict
        Parameters that a search has chosen; empty without a search.
    trials : dict of str to list
        The tried settings, each with `parameters`, `scores` and `remark`.
    fit_commands : dict of str to str
        Python code that makes and fits each model.
    estimators : dict of str to estimator
        The fitted models, with ``return_estimators=True``.
    n_users : int
        Number of test users that `main_metric` evaluates.

    See Also
    --------
    compare_models : Returns a `Comparison`.

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
        # A baseline that failed is reported as a failure, and the best model takes its place.
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
        """The findings, in sentences."""
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
            Whether to print the best value in bold, by a terminal's escape codes. False: a star
            stands before it.
        failures : bool, default=True
            Whether to list the failed models.

        Returns
        -------
        text : str
            Ends in a line break.
        """
        return format_table(self, ansi=bold) + format_remarks(self, failures=failures)

    def to_frame(self):
        """Return a data frame with one row per model.

        Returns
        -------
        frame : pandas.DataFrame
            The index holds the names, best first, then the failed models. Each metric has a column
            with its mean, and columns with the suffixes "_standard_error", "_difference" and
            "_p_value" (after Holm's correction; NaN for the model that the others are tested
            against). If some test users are unknown, "_known" and "_unknown" hold the means of
            both kinds. Then "fit_seconds", "predict_seconds", "peak_bytes", "parameters" and
            "failure".

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
        """Means over the known and over the unknown users; empty if all are known."""
        if not any(result.get("n_unknown", {}).get(metric) for result in self.results.values()):
            return {}
        result = self.results[name]
        return {"known": result.mean_known[metric], "unknown": result.mean_unknown[metric]}

    def to_dict(self):
        """Return plain values for a JSON file.

        Returns
        -------
        content : dict
            "metrics", "main_metric", "n_users", and "models", best first. Each model has its name,
            parameters, scores (by metric: mean, standard error, p-value after Holm's correction),
            times, peak memory and the settings of its search. None stands for NaN.
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
            One of `metrics`. None: the metric that orders the models.
        against : {"k", "fit_seconds", "predict_seconds", "peak_bytes"}, default=None
            The horizontal axis. "k": the length of the list, up to the length of the metric. None:
            the metric itself, with the models below each other.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : ComparisonDisplay or RankingCurveDisplay
            A RankingCurveDisplay for ``against="k"``.

        Raises
        ------
        ValueError
            If the metric is none of `metrics`, or, with "k", has no length.
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
        """Write a report as one HTML file that needs no other file.

        It has plots if matplotlib is installed. All text is escaped.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write, replaced only when the report is complete. None: no file.
        title : str, default="Recommenders compared"
            Heading.
        facts : list of (str, str), default=()
            Facts about the data and the split, as label and text.
        command : str, default=None
            The command that made the report.
        fit_commands : dict of str to str, default=None
            How to fit each model, by name. None: Python code.
        item_names, user_names : array-like of str of shape (n_items,) and (n_users,), \
                default=None
            Names of the items and of the test users, for the sample lists. None: their indices.

        Returns
        -------
        html : str
            The text of the file.

        Raises
        ------
        ValueError
            If the number of names differs from the number of items.
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
