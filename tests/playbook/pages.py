"""The pages on the playbook, and their examples as playbooks."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from nba.playbook.compile import Playbook, parse
from nba.playbook.document import Document

DOCS = Path(__file__).parents[2] / "docs"
SAMPLE = Document.parse(files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8")).values
RULES, REFERENCE = ((DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("rules", "playbook"))


def examples(page: str) -> dict[str, str]:
    """Heading → the example below it."""
    parts = re.split(r"^## (?:\d+\. )?(.+)$", page, flags=re.MULTILINE)
    found = {
        h: re.findall(r"^```yaml\n(.*?)^```", t, re.M | re.S)
        for h, t in zip(parts[1::2], parts[2::2], strict=True)
    }
    assert all(len(blocks) <= 1 for blocks in found.values())
    return {heading: blocks[0] for heading, blocks in found.items() if blocks}


def example(heading: str, **sections: Any) -> Playbook:
    """The sample, with the sections of the example of rules.md in place of its own."""
    written = Document.parse(examples(RULES)[heading]).values
    return parse(json.dumps({**SAMPLE, **written, **sections}, default=str))
