"""The whole demo in miniature, as `make demo` runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from training.demo.commands import NBA
from training.demo.folder import Folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_goes_from_history_to_a_table_of_true_values(tmp_path: Path) -> None:
    report, size = tmp_path / "demo.json", ["--customers", "300", "--pilot", "2", "--weeks", "1"]
    command = [*NBA, "demo", "--json", str(report), *size, "--judges", "100", "--history", "90"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(report.read_text(encoding="utf-8"))
    assert (result["decisions"], result["retrains"]) == (1_200, 2)
    assert Folder(path=tmp_path / "demo").finished
    values = {policy["name"]: policy for policy in result["policies"]}
    told = {"uniform", "best single arm", "incumbent rule", "first policy", "retrained policy", "oracle"}
    assert told <= set(values)
    assert all(policy["low"] < policy["value"] < policy["high"] for policy in values.values())
    assert values["oracle"]["one_step"]["value"] == max(p["one_step"]["value"] for p in values.values())
    assert all(name in done.stdout for name in told)
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path / 'demo' / 'mlflow.db'}" in done.stdout
    page = Path(result["journey_map"])
    assert str(page) in done.stdout.replace("\n", "")
    assert "<svg" in page.read_text(encoding="utf-8")
    assert f"Personas: {result['personas']['customers']} customers" in done.stdout
    assert all(segment["name"].split()[0] in done.stdout for segment in result["personas"]["segments"])
    assert "http://127.0.0.1:8080/console" in done.stdout
    assert result["feedback"]["surveys"]["nps"]["total"]["answers"] > 10
    assert f"{result['tickets']['rules']['all']['tickets']} tickets" in done.stdout
    assert {"complaint", "detractor"} <= set(result["tickets"]["rules"])
    groups = result["experiment"]["groups"]
    assert sum(group["decisions"] for group in groups.values()) == 600  # since the pilot ended
    assert groups["holdout"]["contacts"] == 0
    assert "propensity_purchase" in result["models"]
