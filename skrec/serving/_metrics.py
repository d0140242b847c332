"""Figures for Prometheus. Needs the package prometheus_client."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts requests of one process, and says what its model is.

    Parameters
    ----------
    holder : ModelHolder
    """

    def __init__(self, holder):
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "skrec_requests", "Requests that were answered.", ["path", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "skrec_request_seconds", "Seconds from a request's body to its answer.", ["path"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        ProcessCollector(registry=self._registry)
        self._registry.register(_OfModel(holder))

    def count(self, path, status, seconds):
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self):
        """All figures in the text format of Prometheus, bytes."""
        return generate_latest(self._registry)


class _OfModel:
    """Collects what a `ModelHolder` knows."""

    def __init__(self, holder):
        self._holder = holder

    def collect(self):
        """Metric families."""
        holder = self._holder
        server, since = holder.current
        yield GaugeMetricFamily("skrec_model_items", "Items of the model.", server.n_items)
        yield GaugeMetricFamily("skrec_model_users", "Users who are known.", server.n_users)
        yield GaugeMetricFamily(
            "skrec_model_loaded_timestamp_seconds", "When the model was read.", since
        )
        yield GaugeMetricFamily(
            "skrec_model_stale",
            "1 where the present file cannot be read, and an older model serves.",
            float(holder.error is not None),
        )
        yield CounterMetricFamily("skrec_model_reloads", "Files read since.", holder.n_reloads)
        yield CounterMetricFamily(
            "skrec_model_reload_failures", "Files that could not be read.", holder.n_failures
        )
