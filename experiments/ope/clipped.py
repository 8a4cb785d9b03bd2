"""IPS and SNIPS with weights clipped at a finite bound from the start.

    V̂ = (1/n) Σ ŵᵢ rᵢ   and   V̂ = Σ ŵᵢ rᵢ / Σ ŵᵢ,   ŵ = min(w, clip)

The first is biased towards 0, the second towards what the rows of small weight earned; both are bounded by
clip × the largest reward, which is what a log of few heavy rows needs. `tuning.py` chooses the bound by data.
Ionides (2008); Strehl et al. (2010) for the first; Swaminathan & Joachims (2015) for the second.
"""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import LoggedBatch
from experiments.ope.ips import ips
from experiments.ope.terms import Terms, at_least_zero

CLIP = 10.0


def clipped_ips(batch: LoggedBatch, *, clip: float = CLIP) -> Terms:
    return ips(batch, clip=clip)


def clipped_snips(batch: LoggedBatch, *, clip: float = CLIP) -> Terms:
    used = np.minimum(batch.weight, at_least_zero("clip", clip))
    return Terms(top=used * batch.reward, bottom=used, weight=batch.weight)
