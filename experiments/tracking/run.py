"""One open run, for commands where a person waits and for models that MLflow packs itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

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
        from skops import io

        types, mlflow = self._mlflow.types, self._mlflow
        signature = mlflow.models.ModelSignature(
            inputs=types.Schema([types.ColSpec("double", name) for name in features]),
            outputs=types.Schema([types.TensorSpec(np.dtype(np.float64), (-1, classes))]),
        )
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=signature,
            pip_requirements=list(REQUIREMENTS),  # inferring them takes 7 s
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=io.get_untrusted_types(data=io.dumps(model)),  # our own, from a line above
        )
        if register is not None:
            with redirect_stderr(StringIO()):  # MLflow tells the terminal of each version it makes
                version = mlflow.register_model(info.model_uri, register).version
            if alias is not None:
                mlflow.MlflowClient().set_registered_model_alias(register, alias, version)
        return str(info.model_uri)
