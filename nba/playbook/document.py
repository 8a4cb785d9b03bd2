"""A YAML file as values plus the line on which each of them stands, for errors that point.

Scalars are read as YAML 1.2 reads them, so that 18:00, NO and 010 are no numbers and no booleans; anchors
and merge keys work, and what they bring in keeps the line where it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from nba.errors import FieldError
from nba.playbook.rules import nearest

Path = tuple[str | int, ...]
_DEEPEST, _MOST = 50, 100_000
# pydantic's type of error → our words, where its own speak of Python.
_WORDS = {
    "missing": "is missing",
    "model_type": "must be a mapping of fields, such as {name: value}",
    "dict_type": "must be a mapping, such as {name: value}",
    "list_type": "must be a list, such as [a, b]",
    "tuple_type": "must be a list, such as [a, b]",
    "string_type": "must be text; put it in quotes",
}


@dataclass(frozen=True)
class Document:
    """`values` are plain Python; `lines` lead from the path of each value to its line.

    `root` is the path in the file below which they stand, where they are not the whole of it.
    """

    values: Any
    lines: dict[Path, int]
    root: Path = ()

    @classmethod
    def parse(cls, text: str) -> Document:
        """Raises yaml.YAMLError where the text is not YAML, has a key twice, or nests without end."""
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            lines: dict[Path, int] = {}
            for path, line in loader.lines(node):
                lines[path] = line
                if len(lines) > _MOST:
                    raise yaml.YAMLError(f"it has more than {_MOST} values, each alias counted in full")
            return cls(values=None if node is None else loader.construct_document(node), lines=lines)
        except RecursionError:
            raise yaml.YAMLError("it is nested too deeply") from None
        finally:
            loader.dispose()

    def error(self, path: Path, detail: str) -> FieldError:
        whole = (*self.root, *path)
        return FieldError(field=dotted(whole), detail=detail, line=self._line(whole))

    def merged(self, root: Path, change: Mapping[str, Any], without: Collection[str] = ()) -> Document:
        """The values with `change` in them, which stands at `root` and is where errors point: mappings
        merge, all else replaces.

        Args:
            without: sections that are left out.
        """
        values = {name: value for name, value in self.values.items() if name not in without}
        return Document(values=_merged(values, change), lines=self.lines, root=root)

    @property
    def text(self) -> str:
        """The values as a file of their own, which is read as they were."""
        return json.dumps(self.values, default=date.isoformat)

    def explain(self, error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
        """pydantic's errors over `model` in our words: path, line, the nearest right name."""
        found: dict[Path, str] = {}
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            path = self._path(item["loc"], missing=item["type"] == "missing")
            message = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            detail = _WORDS.get(item["type"], message[:1].lower() + message[1:])
            if item["type"] == "extra_forbidden":
                detail = f"there is no such field{nearest(str(path[-1]), _names(model, item['loc'][:-1]))}"
            found.setdefault(path, detail)
        if self.values is None:
            found = {(): "is empty"}
        return [self.error(path, detail) for path, detail in found.items()]

    def _path(self, location: Path, missing: bool) -> Path:
        """pydantic's location without tags of unions and what a short form omits."""
        path: list[str | int] = []
        here: Any = self.values
        for step in location:
            if step in (
                here if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
            ):
                here = here[step]
                path.append(step)
        return (*path, location[-1]) if missing else tuple(path)

    def _line(self, path: Path) -> int | None:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def _merged(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: (values.get(name), value) for name, value in change.items()}
    new = {
        name: _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        for name, (old, value) in both.items()
    }
    return {**values, **new}


def not_yaml(field: str, error: yaml.YAMLError) -> FieldError:
    """What `Document.parse` raises, as an error of the file that `field` names."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return FieldError(
        field=field, detail=f"is not YAML: {problem}", line=None if mark is None else mark.line + 1
    )


def dotted(path: Path) -> str:
    """`("actions", 2, "channels")` → `actions[2].channels`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "playbook"


def _names(model: type[BaseModel], location: Path) -> list[str]:
    """The fields that may stand at a location."""
    return [f.alias or name for m in _models(model, location) for name, f in m.model_fields.items()]


def _models(annotation: Any, location: Path) -> Iterator[type[BaseModel]]:
    """The models at a location: down by a field's name, by any step through a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            yield annotation
        for name, field in annotation.model_fields.items():
            if location and (field.alias or name) == location[0]:
                yield from _models(field.annotation, location[1:])
    elif get_origin(annotation) in (list, tuple, dict):
        if location:
            yield from _models(get_args(annotation)[-1], location[1:])
    else:  # a union, or Annotated with what it carries
        for part in get_args(annotation):
            yield from _models(part, location)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, and errors that always carry their line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
            # What a tag (`!!int x`) or a look (2026-02-30) promises and the text doesn't keep.
            kind = node.tag.rpartition(":")[2]
            raise _fault(f"{str(node.value)[:40]!r} is no {kind}", node) from None

    def lines(self, node: yaml.Node | None, path: Path = ()) -> Iterator[tuple[Path, int]]:
        """Every path below a node, and its line."""
        if node is None:
            return
        if len(path) > _DEEPEST:
            raise _fault("it is nested too deeply", node)
        yield path, node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            self._merge(node)
            for key, value in node.value:
                below = (*path, self.construct_object(key))
                yield from self.lines(value, below)
                yield below, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for i, value in enumerate(node.value):
                yield from self.lines(value, (*path, i))

    def _merge(self, node: yaml.MappingNode) -> None:
        """Put what `<<` brings in into the mapping itself, each key once; what it says itself wins."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key is a name, not a list or a mapping", key)
            if key.value in seen:
                raise _fault(f"the key {key.value!r} stands twice", key)
            seen.add(key.value)
        self.flatten_mapping(node)
        node.value = list({key.value: (key, value) for key, value in node.value}.values())


def _fault(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_SCALARS = {
    "tag:yaml.org,2002:bool": r"true|True|TRUE|false|False|FALSE",
    "tag:yaml.org,2002:int": r"[-+]?(?:0|[1-9][0-9_]*)",
    "tag:yaml.org,2002:float": r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _SCALARS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), list("tTfF-+.0123456789"))
