"""The scores that a report fills in: those which are published, where they fit the playbook."""

from __future__ import annotations

from nba.artefacts import Artefacts
from nba.errors import CorruptArtefact, NotFound
from nba.journey.scores import ScoreModels, unseal_scores
from nba.playbook.declaration import FeatureSchema
from nba.stores.ports import Store


def score_models(store: Store, artefacts: Artefacts, schema: FeatureSchema) -> ScoreModels | None:
    """The published scores; None where none are, or not for this playbook: stages then go without."""
    publication = store.serving().get("scores")
    if publication is None:
        return None
    try:
        return unseal_scores(artefacts.read(publication.version), schema)
    except (CorruptArtefact, NotFound):
        return None
