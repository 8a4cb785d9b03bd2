"""What was trained, on what, how well: written to MLflow. The one module that imports mlflow.

Serving never comes here. MLflow is loaded on first use, with its telemetry off; without
`MLFLOW_TRACKING_URI` its database is `mlflow.db` and its files `mlartifacts/` in the given folder.
A tracker sets MLflow's process-wide tracking address, so use one address per process.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.errors import InvalidInput, StoreUnavailable

Floats = NDArray[np.float64]
REQUIREMENTS = ("scikit-learn", "lightgbm", "skops", "numpy", "scipy", "pandas")


class Run:
    """One open run. Whatever is logged belongs to it; keys are names, values never customers' data."""

    def __init__(self, mlflow: Any, run_id: str) -> None:
        self._mlflow = mlflow
        self.run_id = run_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._mlflow.log_params(dict(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Finite figures only: MLflow has no other; the rest is left out."""
        finite = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
        self._mlflow.log_metrics(finite, step=step)

    def log_figure(self, figure: Any, path: str) -> None:
        """A matplotlib figure, as PNG or SVG by the ending of `path`."""
        self._mlflow.log_figure(figure, path)

    def log_table(self, rows: Sequence[Mapping[str, Any]], path: str) -> None:
        """Rows of like keys, as a table that the MLflow UI shows; `path` ends in .json."""
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        self._mlflow.log_table(columns, path)

    def log_dict(self, values: Mapping[str, Any], path: str) -> None:
        self._mlflow.log_dict(dict(values), path)

    def log_text(self, text: str, path: str) -> None:
        self._mlflow.log_text(text, path)

    def log_bytes(self, files: Mapping[str, bytes], folder: str) -> None:
        """Files by name, under `folder`."""
        with TemporaryDirectory() as scratch:
            for name, data in files.items():
                (Path(scratch) / name).write_bytes(data)
            self._mlflow.log_artifacts(scratch, folder)

    def log_sklearn_model(
        self,
        model: Any,
        features: Sequence[str],
        classes: int,
        register: str | None = None,
        alias: str | None = None,
    ) -> str:
        """A fitted classifier with its signature: `features` as doubles in, (n, classes) odds out.

        Args:
            register: a name in the model registry; `alias` then points at the version made.

        Returns:
            The model's address, which `Tracker.load_model` takes.
        """
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema, TensorSpec
        from skops import io

        signature = ModelSignature(
            inputs=Schema([ColSpec("double", name) for name in features]),
            outputs=Schema([TensorSpec(np.dtype(np.float64), (-1, classes))]),
        )
        info = self._mlflow.sklearn.log_model(
            model,
            name="model",
            signature=signature,
            pip_requirements=list(REQUIREMENTS),  # inferring them takes 7 s
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=io.get_untrusted_types(data=io.dumps(model)),  # our own, from a line above
        )
        if register is not None:
            with redirect_stderr(StringIO()):  # MLflow tells the terminal of each version it makes
                version = self._mlflow.register_model(info.model_uri, register).version
            if alias is not None:
                self._mlflow.MlflowClient().set_registered_model_alias(register, alias, version)
        return str(info.model_uri)


class Tracker:
    """Where runs go: `uri`, else `MLFLOW_TRACKING_URI`, else SQLite in `directory`."""

    def __init__(self, uri: str | None = None, directory: Path = Path()) -> None:
        self._directory = directory.resolve()
        self.uri = (
            uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self._directory / 'mlflow.db'}"
        )

    @contextmanager
    def run(
        self,
        experiment: str,
        name: str,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        nested: bool = False,
    ) -> Iterator[Run]:
        """An open run of an experiment, made if it is not there. An exception inside marks the run failed.

        Raises:
            StoreUnavailable: MLflow can't be reached.
        """
        mlflow = self._connected()
        try:
            experiment_id = self._experiment(mlflow, experiment)
            started = mlflow.start_run(
                experiment_id=experiment_id, run_name=name, nested=nested, tags=dict(tags or {})
            )
        except Exception as error:  # MLflow lets through whatever its database or server raises
            raise StoreUnavailable(f"MLflow at {self.uri} can't be used: {error}") from None
        with started, self._reached(mlflow):
            run = Run(mlflow, started.info.run_id)
            run.log_params(params or {})
            yield run

    @contextmanager
    def _reached(self, mlflow: Any) -> Iterator[None]:
        """What MLflow refuses on the way is told as ours, so that callers can branch by it."""
        try:
            yield
        except mlflow.MlflowException as error:
            raise StoreUnavailable(f"MLflow at {self.uri} can't be used: {error}") from None

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """The runs of an experiment, newest first: run_id, name, status, params, metrics, tags."""
        mlflow = self._connected()
        found = mlflow.search_runs(experiment_names=[experiment], output_format="list")
        return [
            {
                "run_id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "params": dict(run.data.params),
                "metrics": dict(run.data.metrics),
                "tags": dict(run.data.tags),
            }
            for run in found
        ]

    def register(self, model: str, run_id: str, folder: str, tags: Mapping[str, str]) -> str:
        """A new version of the registered `model`, the run's files in `folder`, aliased `challenger`.

        Raises:
            StoreUnavailable: MLflow can't be reached, or refuses.
        """
        mlflow = self._connected()
        client = mlflow.MlflowClient()
        with self._reached(mlflow):
            if not client.search_registered_models(filter_string=f"name = '{model}'"):
                client.create_registered_model(model)
            source = f"{client.get_run(run_id).info.artifact_uri}/{folder}"
            version = str(client.create_model_version(model, source, run_id=run_id, tags=dict(tags)).version)
            client.set_registered_model_alias(model, "challenger", version)
        return version

    def promote(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Alias a version `champion`, and tag it and its run.

        Raises:
            StoreUnavailable: MLflow can't be reached, or refuses.
        """
        mlflow = self._connected()
        client = mlflow.MlflowClient()
        with self._reached(mlflow):
            client.set_registered_model_alias(model, "champion", version)
            client.delete_registered_model_alias(model, "challenger")
            run_id = client.get_model_version(model, version).run_id
            for name, value in tags.items():
                client.set_model_version_tag(model, version, name, value)
                client.set_tag(run_id, name, value)

    def files(self, run_id: str) -> list[str]:
        """What a run logged beside figures and parameters."""
        return [file.path for file in self._connected().MlflowClient().list_artifacts(run_id)]

    def load_model(self, address: str) -> Any:
        """A logged model as MLflow's `pyfunc`: `predict(frame)` gives (n, classes) odds."""
        return self._connected().pyfunc.load_model(address)

    def _connected(self) -> Any:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default waits for minutes
        for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking.fluent"):
            logging.getLogger(name).setLevel(logging.WARNING)
        import mlflow

        before = os.environ.get("MLFLOW_TRACKING_URI")
        mlflow.set_tracking_uri(
            self.uri
        )  # which also sets the variable, and so every later tracker's default
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before
        return mlflow

    def _experiment(self, mlflow: Any, name: str) -> str:
        """The id; of two processes that make it at once, the second takes the first's."""
        client = mlflow.MlflowClient()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name, artifact_location=self._files_of(name)))
            except mlflow.MlflowException:
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _files_of(self, experiment: str) -> str | None:
        """A local database keeps its files beside it; a server decides for itself."""
        if not self.uri.startswith("sqlite:"):
            return None
        database = self.uri.removeprefix("sqlite:///")
        beside = Path(database).resolve().parent if database else self._directory
        return (beside / "mlartifacts" / experiment).as_uri()


def fingerprint(frame: pl.DataFrame, ordered: bool = False) -> str:
    """SHA-256 of a frame's column names, types and values; of its rows as a bag unless `ordered`.

    Column by column in the frame's own order. Missing values are told from NaN, NaNs are all alike.

    Raises:
        InvalidInput: a column holds neither numbers, booleans, times nor text.
    """
    header = "\n".join(f"{name}: {dtype}" for name, dtype in frame.schema.items())
    cells = np.column_stack([_cells(frame[name]) for name in frame.columns] or [np.zeros((0, 1), np.uint64)])
    rows = [hashlib.sha256(row.tobytes()).digest() for row in np.ascontiguousarray(cells)]
    body = b"".join(rows if ordered else sorted(rows))
    return hashlib.sha256(header.encode() + b"\0" + body).hexdigest()


def _cells(series: pl.Series) -> NDArray[np.uint64]:
    """(n, 2): 64 bits of each value, and whether it is missing."""
    missing = series.is_null().to_numpy().astype(np.uint64)
    if series.dtype.is_float():
        values = series.fill_null(0.0).cast(pl.Float64).fill_nan(float("nan")).to_numpy() + 0.0
        bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    elif series.dtype.is_integer() or series.dtype == pl.Boolean or series.dtype.is_temporal():
        bits = (
            series.to_physical().cast(pl.Int64, wrap_numerical=True).fill_null(0).to_numpy().view(np.uint64)
        )
    elif series.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = series.cast(pl.String).fill_null("")
        known = text.unique()
        codes = pl.Series([_code(value) for value in known], dtype=pl.UInt64)
        bits = text.replace_strict(known, codes, return_dtype=pl.UInt64).to_numpy()
    else:
        raise InvalidInput.of(series.name, f"a column of {series.dtype} has no fingerprint")
    return np.column_stack([bits, missing])


def _code(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
