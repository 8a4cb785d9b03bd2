"""Where runs go: what was trained, on what, how well, as MLflow keeps it. Nothing here says how well."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.tracking import door, sending
from experiments.tracking.record import RunRecord
from experiments.tracking.run import Run
from nba.errors import NotFound, StoreUnavailable

POLICY = "policy"  # the tag with the names under which decisions know a policy, and its experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a registered model, the run that made it, and its tags."""

    number: int
    run_id: str
    tags: Mapping[str, str]


class Tracker:
    """Runs and registry at `uri`, else `MLFLOW_TRACKING_URI`, else SQLite in `directory`.

    `run` and `load_model` set MLflow's process-wide tracking address, so use one address per process.
    Everything here raises StoreUnavailable, in seconds, where MLflow can't be reached.
    """

    def __init__(self, uri: str | None = None, directory: Path = Path()) -> None:
        self._directory = directory.resolve()
        self.uri = (
            uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self._directory / 'mlflow.db'}"
        )

    def send(self, record: RunRecord) -> str:
        """Write a run and return its id; one that is there is not written again, a half-written one finished.

        The time of the run and of its figures is the record's. Within seconds it is clear whether MLflow
        is there; a request that gets no answer ends after ten.

        Raises:
            InvalidInput: MLflow refuses the record and always will.
            StoreUnavailable: MLflow can't be reached; send it again later.
        """
        with self._at_once() as (mlflow, client):
            return sending.write(mlflow, client, self._experiment(mlflow, client, record.experiment), record)

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
        door.knock(self.uri)
        mlflow = self._connected()
        try:
            experiment_id = self._experiment(mlflow, mlflow.MlflowClient(), experiment)
            started = mlflow.start_run(
                experiment_id=experiment_id, run_name=name, nested=nested, tags=dict(tags or {})
            )
        except Exception as error:  # MLflow lets through whatever its database or server raises
            raise StoreUnavailable(f"MLflow at {door.shown(self.uri)} can't be used: {error}") from None
        with started, self._told(mlflow):
            run = Run(mlflow, started.info.run_id)
            run.log_params(params or {})
            yield run

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """The runs of an experiment, newest first: run_id, name, status, params, metrics, tags."""
        door.knock(self.uri)
        mlflow = self._connected()
        found = mlflow.search_runs(experiment_names=[experiment], output_format="list")
        return [
            {
                "run_id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "started_at": run.info.start_time / 1_000,
                "params": dict(run.data.params),
                "metrics": dict(run.data.metrics),
                "tags": dict(run.data.tags),
            }
            for run in found
        ]

    def run_of(self, policy: str, playbook: str | None = None) -> str:
        """The run that made the policy which decisions name so, `linear@7`; the newest, where several did.

        Args:
            playbook: the name of the registered model, where one MLflow serves several playbooks.

        Raises:
            NotFound: no run is known under this name.
        """
        with self._at_once() as (_, client), door.reached(self.uri):
            found = client.get_experiment_by_name(POLICY)
            runs = [] if found is None else _carrying(client, found.experiment_id, policy)
            for run in runs:
                if playbook is None or run.data.tags.get("model") == playbook:
                    return str(run.info.run_id)
        raise NotFound(f"no run in MLflow made the policy {policy}; fallbacks, which end in @0, have none")

    def versions(self, model: str) -> list[Version]:
        """The versions of a registered model, oldest first; none where it is not registered."""
        with self._at_once() as (_, client):
            found = _pages(lambda token: client.search_model_versions(f"name = '{model}'", page_token=token))
            versions = [Version(number=int(v.version), run_id=v.run_id, tags=dict(v.tags)) for v in found]
            return sorted(versions, key=lambda version: version.number)

    def aliases(self, model: str) -> dict[str, int]:
        """Alias → version of a registered model."""
        with self._at_once() as (_, client):
            found = client.search_registered_models(filter_string=f"name = '{model}'")
            return {alias: int(v) for m in found for alias, v in m.aliases.items()}

    def point(self, model: str, aliases: Mapping[str, int | None]) -> None:
        """Let each alias name this version, or with None no version; what is so already stays."""
        before = self.aliases(model)
        with self._at_once() as (_, client):
            for alias, version in aliases.items():
                if version is None and alias in before:
                    client.delete_registered_model_alias(model, alias)
                elif version is not None and before.get(alias) != version:
                    client.set_registered_model_alias(model, alias, str(version))

    def tag(self, model: str, version: Version, tags: Mapping[str, str]) -> None:
        """Tag a version and its run."""
        with self._at_once() as (_, client):
            for name, value in tags.items():
                client.set_model_version_tag(model, str(version.number), name, value)
                client.set_tag(version.run_id, name, value)

    def files(self, run_id: str) -> list[str]:
        """What a run logged beside figures and parameters."""
        return [file.path for file in self._connected().MlflowClient().list_artifacts(run_id)]

    def load_model(self, address: str) -> Any:
        """A logged model as MLflow's `pyfunc`: `predict(frame)` gives (n, classes) odds."""
        return self._connected().pyfunc.load_model(address)

    def _connected(self) -> Any:
        return door.connect(self.uri)

    @contextmanager
    def _at_once(self) -> Iterator[tuple[Any, Any]]:
        """The library and a client, for work that must not wait long."""
        with door.impatient(), door.reached(self.uri):
            door.knock(self.uri)
            yield door.load(), door.client(self.uri)

    @contextmanager
    def _told(self, mlflow: Any) -> Iterator[None]:
        try:
            yield
        except mlflow.MlflowException as error:
            raise StoreUnavailable(f"MLflow at {door.shown(self.uri)} can't be used: {error}") from None

    def _experiment(self, mlflow: Any, client: Any, name: str) -> str:
        """The id; of two processes that make it at once, the second takes the first's. A deleted one, whose
        name MLflow keeps taken, is restored."""
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name, artifact_location=self._files_of(name)))
            except mlflow.MlflowException:
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _files_of(self, experiment: str) -> str | None:
        """A local database keeps its files beside it; a server decides for itself."""
        if not self.uri.startswith("sqlite:"):
            return None
        database = self.uri.removeprefix("sqlite:///")
        beside = Path(database).resolve().parent if database else self._directory
        return (beside / "mlartifacts" / experiment).as_uri()


def _carrying(client: Any, experiment_id: str, policy: str) -> list[Any]:
    """Runs, newest first, among whose names is this one."""
    if "'" in policy:  # MLflow's filters have no way to quote a quote
        return []
    wanted = f"tags.{POLICY} LIKE '%{policy}%'"
    found = client.search_runs([experiment_id], filter_string=wanted, order_by=["start_time DESC"])
    return [run for run in found if policy in run.data.tags[POLICY].split(",")]


def _pages(ask: Any) -> Iterator[Any]:
    """Everything that MLflow gives in pages."""
    token = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return
