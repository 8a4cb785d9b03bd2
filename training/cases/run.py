"""The offline part on real data, from files to tables: `nba demo --data`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from nba.commands.options import console
from training.cases import offers
from training.cases.show import show
from training.propensity import cases

# Sets beside the one that was named; each is used where it lies there.
MODELS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    "telco-churn": cases.telco,
    "bank-marketing": cases.bank,
    "online-retail": cases.online_retail,
}


def run(data: Path, json_file: Path | None) -> None:
    """Value policies on the Starbucks log in `data`, and models on the sets beside it; print both.

    Raises:
        InvalidInput: a file of the data set is missing or not as published.
    """
    told = Console(stderr=True)
    with told.status("starting") as status, TemporaryDirectory() as scratch:
        valued = offers.run(data, Path(scratch) / "history", progress=status.update)
        models: list[dict[str, Any]] = []
        for name, case in MODELS.items():
            if (data.resolve().parent / name).is_dir():
                status.update(f"models on {name}")
                models += case(data.resolve().parent)
            else:
                told.print(f"{name} does not lie beside {data}; its models are left out")
    show(valued, models, console())
    if json_file is not None:
        offers.write_json(json_file, valued, models)
