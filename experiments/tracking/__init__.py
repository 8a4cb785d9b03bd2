"""MLflow, the data scientist's desk: what was trained, on what, how well. Serving never comes here.

Importing this does not load MLflow; `door` does, on first use. Without `MLFLOW_TRACKING_URI` its database is
`mlflow.db` and its files `mlartifacts/` in the given folder.
"""

from experiments.tracking.aliases import align
from experiments.tracking.digest import fingerprint, fingerprint_of_columns
from experiments.tracking.record import Registration, RunRecord
from experiments.tracking.run import Run
from experiments.tracking.tracker import Tracker, Version

__all__ = [
    "Registration",
    "Run",
    "RunRecord",
    "Tracker",
    "Version",
    "align",
    "fingerprint",
    "fingerprint_of_columns",
]
