"""A YAML file as values plus the line on which each of them stands, for errors that point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from nba.errors import FieldError
from nba.playbook.rules import nearest
from nba.playbook.schema import PlaybookSpec

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """`values` as `yaml.safe_load` gives them; `lines` from the path of each value to its line."""

    values: Any
    lines: dict[Path, int]

    @classmethod
    def parse(cls, text: str) -> Document:
        """Raises yaml.YAMLError where the text is not YAML, or has a key twice."""
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(node, ())) if node is not None else {}
        return cls(values=yaml.safe_load(text), lines=lines)

    def error(self, path: Path, detail: str) -> FieldError:
        return FieldError(field=dotted(path), detail=detail, line=self._line(path))

    def explain(self, error: ValidationError) -> list[FieldError]:
        """pydantic's errors in our words: path, line, the nearest right name."""
        found: dict[Path, str] = {}
        for item in error.errors(include_url=False, include_context=False):
            path = self._real(item["loc"])
            detail = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            if item["type"] == "extra_forbidden":
                detail = f"there is no such field{nearest(str(path[-1]), _fields_at(path[:-1]))}"
            elif item["type"] == "missing":
                detail = "is missing"
            found.setdefault(path, detail[0].lower() + detail[1:])
        return [self.error(path, detail) for path, detail in found.items()]

    def _real(self, location: tuple[str | int, ...]) -> Path:
        """pydantic's location without the tags of unions and validators, which are no fields."""
        path: list[str | int] = []
        here: Any = self.values
        for step in location:
            inside = (
                step in here
                if isinstance(here, dict)
                else isinstance(here, list) and step in range(len(here))
            )
            if not inside and not (isinstance(here, dict) and step == location[-1]):
                continue
            here = here[step] if inside else None
            path.append(step)
        return tuple(path)

    def _line(self, path: Path) -> int | None:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def dotted(path: Path) -> str:
    """`("actions", 2, "channels")` → `actions[2].channels`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "playbook"


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {name!r} stands twice", problem_mark=key.start_mark
                )
            seen.add(name)
            yield (*path, name), key.start_mark.line + 1
            yield from ((p, n) for p, n in _lines(value, (*path, name)) if p != (*path, name))
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _lines(value, (*path, i))


def _fields_at(path: Path) -> list[str]:
    """The fields that the model at `path` has; empty where there is no model."""
    model: Any = PlaybookSpec
    for step in path:
        models = _models(model)
        fields = models[0].model_fields if models else {}
        known = {field.alias or name: field.annotation for name, field in fields.items()}
        # A step into a mapping or a list keeps its annotation: the models inside are found below.
        model = known.get(str(step), model) if models and not _is_container(model) else _inside(model)
    models = _models(model)
    return [field.alias or name for name, field in models[0].model_fields.items()] if models else []


def _is_container(annotation: Any) -> bool:
    return (
        not (isinstance(annotation, type) and issubclass(annotation, BaseModel))
        and bool(get_args(annotation))
        and type(None) not in get_args(annotation)
    )


def _inside(annotation: Any) -> Any:
    models = _models(annotation)
    return models[0] if models else annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
