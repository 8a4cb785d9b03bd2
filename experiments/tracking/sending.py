"""Write a record to MLflow, so that doing it again, or going on where it stopped, writes nothing twice.

A run is marked finished as the last step. Whoever finds it unfinished does all steps again: MLflow takes the
same parameters, figures and files once more as what they are, and a version is looked for before it is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.tracking.record import Registration, RunRecord

RECORD = "record"
_BATCH = 100  # parameters, tags, and figures that one request takes
_DESCRIPTION = 5_000  # characters that every database of MLflow's takes
_TABLES = "mlflow.loggedArtifacts"  # what tells MLflow's UI that a file is a table


def write(mlflow: Any, client: Any, experiment_id: str, record: RunRecord) -> str:
    """The run's id. Two that send one record at the same moment may write it twice; take turns."""
    run = _run_of(mlflow, client, experiment_id, record) or client.create_run(
        experiment_id, start_time=_ms(record), tags={RECORD: record.id}, run_name=record.name
    )
    run_id = str(run.info.run_id)
    if run.info.status == "FINISHED" or run.info.lifecycle_stage == "deleted":
        return run_id
    _log_values(mlflow, client, run_id, record)
    with TemporaryDirectory() as scratch:
        _lay_out(Path(scratch), record)
        client.log_artifacts(run_id, scratch)
    if record.registration is not None:
        _make_version(client, run_id, record.registration, record.id)
    client.set_terminated(run_id, "FINISHED", end_time=_ms(record))
    return run_id


def make_model(client: Any, name: str) -> None:
    """The registered model, where it is not there yet."""
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)


def _run_of(mlflow: Any, client: Any, experiment_id: str, record: RunRecord) -> Any | None:
    found = client.search_runs(
        [experiment_id],
        filter_string=f"tags.{RECORD} = '{record.id}'",
        run_view_type=mlflow.entities.ViewType.ALL,  # one that a person deleted stays deleted
        max_results=1,
    )
    return found[0] if found else None


def _log_values(mlflow: Any, client: Any, run_id: str, record: RunRecord) -> None:
    entities, at = mlflow.entities, _ms(record)
    tags = dict(record.tags)
    if record.tables:
        tags[_TABLES] = json.dumps([{"path": path, "type": "table"} for path in record.tables])
    for names in _chunks(list(record.params.items())):
        client.log_batch(run_id, params=[entities.Param(k, v) for k, v in names])
    for names in _chunks(list(tags.items())):
        client.log_batch(run_id, tags=[entities.RunTag(k, str(v)) for k, v in names])
    for figures in _chunks(list(record.metrics)):
        client.log_batch(run_id, metrics=[entities.Metric(name, v, at, step) for name, v, step in figures])


def _lay_out(folder: Path, record: RunRecord) -> None:
    for path, data in record.contents():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def _make_version(client: Any, run_id: str, registration: Registration, record: str) -> None:
    model = registration.model
    make_model(client, model)
    if any(v.tags.get(RECORD) == record for v in client.search_model_versions(f"run_id = '{run_id}'")):
        return
    source = f"{client.get_run(run_id).info.artifact_uri}/{registration.folder}"
    client.create_model_version(
        model,
        source,
        run_id=run_id,
        tags={**registration.tags, RECORD: record},
        description=registration.description[:_DESCRIPTION] or None,
    )


def _chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while chunk := list(islice(rest, _BATCH)):
        yield chunk


def _ms(record: RunRecord) -> int:
    return round(record.started_at * 1_000)
