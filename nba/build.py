"""What computed a decision: program, numeric library, processor. The same build gives the same bits."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np


@cache
def build() -> str:
    """`nba 0.1.0, numpy 2.4.1, x86_64 Intel(R) Xeon(R) …`."""
    return f"nba {version('nba')}, numpy {np.__version__}, {platform.machine()} {_model()}".rstrip()


def _model() -> str:
    """The processor's own name; nothing where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
