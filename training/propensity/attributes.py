"""Customer attributes as they were known at a moment, from the `profile` events of the history.

Only what the playbook lists is read. A later event changes the attributes that it names and no others.
"""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from nba.features.rows import code
from nba.playbook.compile import Playbook

Floats = NDArray[np.float64]
PROFILE = "profile"
ZONE = "timezone"


def attributes_at(
    playbook: Playbook, events: pl.DataFrame, moments: pl.DataFrame
) -> tuple[dict[str, Floats], list[str]]:
    """Each listed attribute (n,) as its column holds it, and the n time zones, strictly before the moments.

    Where no profile names a time zone it is the playbook's.
    """
    profiles = _profiles(playbook, events)
    asked = moments.select("customer_id", "at").with_row_index("row").sort("at")
    joined = asked.join_asof(
        profiles.sort("at"), on="at", by="customer_id", allow_exact_matches=False, check_sortedness=False
    ).sort("row")
    names = [f.name for f in playbook.schema.features if f.group == "attribute"]
    values = {name: joined[f"attribute {name}"].fill_null(float("nan")).to_numpy() for name in names}
    return values, joined[ZONE].fill_null(playbook.spec.timezone).to_list()


def _profiles(playbook: Playbook, events: pl.DataFrame) -> pl.DataFrame:
    """customer_id, at, the listed attributes and the time zone after each profile event."""
    features = [f for f in playbook.schema.features if f.group == "attribute"]
    rows = events.filter(pl.col("type") == PROFILE).sort("customer_id", "occurred_at", maintain_order=True)
    said = [orjson.loads(text) if text else {} for text in rows["properties"]]
    # A time zone that is taken back is the playbook's again; one that is not spoken of stays.
    zones = [(p[ZONE] or playbook.spec.timezone) if ZONE in p else None for p in said]
    columns = [
        rows["customer_id"],
        rows["occurred_at"].alias("at"),
        pl.Series(ZONE, zones, dtype=pl.String),
        *(
            pl.Series(
                f"attribute {f.name}",
                [code(f, p[f.name]) if f.name in p else None for p in said],
                dtype=pl.Float64,
            )
            for f in features
        ),
    ]
    return pl.DataFrame(columns).with_columns(
        pl.all().exclude("customer_id", "at").forward_fill().over("customer_id")
    )
