"""A study from the log to the settings: it goes on where it stopped, shares its work, says what it knows."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.tracking import Tracker
from nba.errors import InvalidInput, NotEnoughData, NotFound, StoreUnavailable
from nba.stores.open import open_store
from tests.service.business import DAY
from tests.stores.postgres import fresh_database
from training.commands.retrain import retrain
from training.commands.tune import tune as command
from training.tune.file import read_settings
from training.tune.run import Place, Settings, tune
from training.tune.study import known_studies

QUICK = Settings(trials=4, learners=("ridge",), splits=2)


def test_a_study_goes_on_where_it_stopped_and_the_defaults_come_first(place: Place) -> None:
    first = tune(place, replace(QUICK, trials=3))
    again = tune(place, replace(QUICK, trials=5))
    assert first.trials[0].tried.is_default
    assert again.study == first.study
    assert [t.number for t in again.trials] == [0, 1, 2, 3, 4]
    assert again.trials[:3] == first.trials
    assert len({json.dumps(dict(t.params)) for t in again.trials}) == 5
    assert again.best.value is not None
    assert again.judged is not None
    assert again.judged.rows > 200
    assert tune(place, replace(QUICK, trials=5)).trials == again.trials, "it has them already"


def test_ctrl_c_keeps_what_is_finished_and_the_study_goes_on(place: Place) -> None:
    def stop(text: str) -> None:
        if text.startswith("trial 2"):
            raise KeyboardInterrupt

    broken = tune(place, QUICK, stop)
    assert broken.interrupted
    assert [t.number for t in broken.trials] == [0, 1]
    assert "can't be told: it was interrupted" in broken.sentence() or broken.best.tried.is_default
    whole = tune(place, replace(QUICK, resume=True))
    assert not whole.interrupted
    assert len(whole.trials) == 4
    assert whole.trials[:2] == broken.trials


def test_the_defaults_are_tried_again_where_they_were_broken_off(place: Place) -> None:
    def stop(text: str) -> None:
        if text.startswith("trial 0"):
            raise KeyboardInterrupt

    with pytest.raises(NotEnoughData, match="no trial was finished"):
        tune(place, QUICK, stop)
    assert sum(t.tried.is_default for t in tune(place, QUICK).trials) >= 1


def test_two_workers_share_a_study_and_stop_at_its_number_of_trials(place: Place) -> None:
    found = tune(place, replace(QUICK, trials=6, workers=2))
    assert len(found.trials) == 6
    assert sum(trial.tried.is_default for trial in found.trials) >= 1


def test_time_that_is_up_begins_no_trial(place: Place) -> None:
    tune(place, replace(QUICK, trials=2))
    assert len(tune(place, replace(QUICK, trials=50, timeout=1e-3)).trials) == 2


def test_a_study_of_other_data_is_refused_by_name_and_starts_a_new_one_without(place: Place) -> None:
    named = replace(QUICK, trials=2, study="ours")
    tune(place, named)
    earlier = replace(place, as_of=place.as_of - 12 * DAY)
    with pytest.raises(InvalidInput, match=r"'ours' is about something else: data_to .* and not"):
        tune(earlier, named)
    assert tune(earlier, replace(QUICK, trials=2)).study != "ours"
    with pytest.raises(InvalidInput, match="is there already"):
        tune(place, replace(named, resume=False))
    text = place.playbook.read_text(encoding="utf-8")
    place.playbook.write_text(text.replace("margin: 0.1", "margin: 0.2"), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"playbook shop@.* and not shop@"):
        tune(place, named)


def test_new_starts_anew_beside_and_resume_wants_one_that_is_there(place: Place) -> None:
    few = replace(QUICK, trials=2)
    with pytest.raises(NotFound, match="no study to resume"):
        tune(place, replace(few, resume=True))
    first, second = tune(place, few), tune(place, replace(few, resume=False))
    assert second.study == f"{first.study}-2"
    assert set(known_studies(place.storage)) == {first.study, second.study}
    with pytest.raises(NotFound, match=f"did you mean '{first.study}'"):
        tune(place, replace(few, resume=True, study=first.study[:-1] + "x"))


def test_what_makes_no_sense_is_told_before_any_work(place: Place) -> None:
    for settings, field in (
        (replace(QUICK, trials=0), "trials"),
        (replace(QUICK, workers=0), "workers"),
        (replace(QUICK, splits=0), "splits"),
        (replace(QUICK, held=0.9), "held"),
        (replace(QUICK, learners=("rigde",)), "learner"),
    ):
        with pytest.raises(InvalidInput) as error:
            tune(place, settings)
        assert error.value.errors[0].field == field
    with pytest.raises(InvalidInput, match="timeout: is a number and a unit"):
        command(timeout="soon", playbook=place.playbook, store=place.store)
    with pytest.raises(InvalidInput, match="as-of: is needed"):
        command(playbook=place.playbook, store=place.store)


def test_too_few_decisions_and_a_storage_that_is_not_there_are_told(place: Place) -> None:
    with pytest.raises(NotEnoughData, match="needed 200"):
        tune(replace(place, as_of=place.as_of - 48 * DAY), QUICK)
    with pytest.raises(StoreUnavailable, match=r"sqlite:////none/tuning\.db"):
        tune(replace(place, storage="sqlite:////none/tuning.db"), QUICK)
    with pytest.raises(StoreUnavailable, match=r"postgresql\+psycopg://me:\*\*\*@"):
        tune(replace(place, storage="postgresql+psycopg://me:secret@127.0.0.1:9/none"), QUICK)


def test_the_command_writes_settings_that_retrain_takes_and_nests_runs_in_mlflow(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(
        playbook=place.playbook,
        store=place.store,
        trials=5,
        learner=["ridge"],
        as_of="2025-08-01T12:00:00Z",
        splits=2,
        out=tmp_path / "tuning.json",
        json_file=tmp_path / "out.json",
    )
    told = capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["conclusion"].split(":")[0] in " ".join(told.split())
    assert len(written["all_trials"]) == 5
    assert set(read_settings(tmp_path / "tuning.json")) == {"ridge"}

    tracker = Tracker()
    runs = {run["name"]: run for run in tracker.runs("tuning")}
    parent = next(run for name, run in runs.items() if name.startswith(written["study"]))
    children = [run for name, run in runs.items() if name.startswith("trial ")]
    assert {run["tags"]["mlflow.parentRunId"] for run in children} == {parent["run_id"]}
    assert len(children) == 5
    assert parent["metrics"]["best.value"] == pytest.approx(written["best"]["value"])
    assert {"history.png", "tuning.json", "trials.json"} <= set(tracker.files(parent["run_id"]))

    (tmp_path / "mine.json").write_text(json.dumps({"learners": {"ridge": {"strength": 77.0}}}))
    retrain(
        playbook=place.playbook,
        store=place.store,
        artefacts=tmp_path / "artefacts",
        as_of="2025-08-01T12:00:00Z",
        folds=2,
        learner=["ridge"],
        tuned=tmp_path / "mine.json",
    )
    (run,) = tracker.runs("policy")
    assert run["params"]["learner.strength"] == "77.0"


def test_a_second_machine_needs_the_studys_name_and_no_moment(place: Place, tmp_path: Path) -> None:
    first = tune(place, replace(QUICK, trials=2, study="shared"))
    command(
        playbook=place.playbook,
        store=place.store,
        storage=place.storage,
        study="shared",
        trials=3,
        learner=["ridge"],
        splits=2,
        out=tmp_path / "tuning.json",
    )
    with closing(open_store(str(place.store))) as store:
        assert store.clock == "request"
    told = json.loads((tmp_path / "tuning.json").read_text())
    assert (told["study"], told["trials"], told["data"]) == ("shared", 3, first.basis["data"])


def test_studies_may_live_in_postgresql_for_several_machines(place: Place) -> None:
    with fresh_database() as url:
        shared = replace(place, storage=url)
        first = tune(shared, replace(QUICK, trials=2))
        again = tune(shared, replace(QUICK, trials=3, resume=True))
        assert (again.study, len(again.trials)) == (first.study, 3)
        assert not Path("tuning.db").exists()
