"""The proofs in small: truths are truths, good estimators beat poor ones, and refusals are shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.bakeoff.tasks import FOLDER, Task, of_numbers, read
from experiments.commands.ope import ope
from experiments.ope import Estimate
from experiments.opeproof.classification import ESTIMATORS, Proof, _world, prove
from experiments.opeproof.open_bandit import cases
from experiments.opeproof.show import as_json, relative_error, show_bandit, show_proof
from nba.errors import InvalidInput, NotEnoughData


@pytest.fixture(scope="module")
def task() -> Task:
    """Three clusters in the plane, 1,200 points."""
    rng = np.random.default_rng(1)
    label = rng.integers(3, size=1_200)
    centre = np.array([[0, 0], [2, 0], [0, 2]])
    return of_numbers("clusters", centre[label] + rng.normal(0, 0.8, (1_200, 2)), label)


@pytest.fixture(scope="module")
def proof(task: Task) -> Proof:
    return prove([task], seeds=6, rows=800)


def test_the_truth_is_what_the_target_earns_where_it_runs(task: Task) -> None:
    """Seed 2, 200,000 draws of the target; six standard errors."""
    world = _world(task, "misled", 0)
    rng = np.random.default_rng(2)
    at = rng.integers(len(world.label), size=200_000)
    arm = (world.target[at].cumsum(axis=1) > rng.random((200_000, 1))).argmax(axis=1)
    earned = arm == world.label[at]
    assert abs(earned.mean() - world.truth) < 6 * earned.std() / np.sqrt(200_000)


def test_weighted_estimators_come_near_and_the_model_alone_does_not(proof: Proof) -> None:
    """18 logs with fixed seeds, the same figures in every run."""
    errors = {name: relative_error(c for k, c in proof.cells.items() if k[2] == name) for name in ESTIMATORS}
    found = {name: error for name, error in errors.items() if isinstance(error, float)}
    assert found["dr"] < 0.1
    assert found["sndr"] < 0.1
    assert found["dr"] < found["ips"]
    assert found["snips"] < found["clipped-ips"]


def test_weights_are_heaviest_where_logging_is_misled(proof: Proof) -> None:
    assert proof.effective["clusters", "misled"] < proof.effective["clusters", "uniform"]


def test_the_same_seeds_give_the_same_table(task: Task, proof: Proof) -> None:
    assert prove([task], seeds=6, rows=800) == proof


def test_on_open_bandit_the_other_policys_value_is_in_the_interval_or_refused(data_dir: Path) -> None:
    found = cases(data_dir)
    whole = {case.name: case for case in found if case.name in ("random → bts", "bts → random")}
    assert len(whole) == 2
    for case in whole.values():
        assert isinstance(case.truth, Estimate)
        assert case.rows == 10_000
        for one in case.found.values():
            if isinstance(one, Estimate):
                assert one.low < case.truth.value < one.high
    refused = {c.name for c in found if all(isinstance(one, NotEnoughData) for one in c.found.values())}
    assert "random → item 13 alone" in refused, "a single click was logged on it"
    console = Console(record=True, width=120)
    show_bandit(found, console)
    assert "refused" in console.export_text()


def test_the_proof_is_printed_and_written(proof: Proof) -> None:
    console = Console(record=True, width=120)
    show_proof(proof, console)
    text = console.export_text()
    assert "dr-os by slope" in text
    assert "clusters" in text
    told = json.loads(json.dumps(as_json(proof, ())))
    assert len(told["classification"]["cells"]) == 3 * len(ESTIMATORS)


def test_the_command_runs_on_a_real_set_and_names_those_there_are(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_DATA_DIR", str(data_dir))
    file = tmp_path / "out.json"
    ope(sets="ecoli", seeds=2, rows=150, only="classification", json_file=file)
    assert "ecoli" in capsys.readouterr().out
    told = json.loads(file.read_text(encoding="utf-8"))
    assert {cell["set"] for cell in told["classification"]["cells"]} == {"ecoli"}
    assert read(data_dir / FOLDER / "ecoli.parquet").arms > 2
    with pytest.raises(InvalidInput, match="there is no set 'ecolli'; there are anneal"):
        ope(sets="ecolli", only="classification")
    with pytest.raises(InvalidInput, match="only"):
        ope(only="both")
