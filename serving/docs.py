"""The OpenAPI document as one plain page: no script, nothing loaded from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 code, h3 code { font-size: 1em } section { border-top: 1px solid #8886; margin-top: 1.5rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { overflow-x: auto; background: #8881; padding: .7rem }
b.method { text-transform: uppercase; font-size: .8em; margin-right: .5em }
"""


def page(document: Mapping[str, Any]) -> str:
    """HTML: every operation with its bodies and answers, then every schema."""
    info = document["info"]
    operations = [
        _operation(path, method, entry)
        for path, methods in document["paths"].items()
        for method, entry in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(info['title'])} API</h1><p>{escape(info['description'])}</p>",
            '<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>',
            *operations,
            "<h1>Schemas</h1>",
            *schemas,
            "</body></html>",
        ]
    )


def _operation(path: str, method: str, entry: Mapping[str, Any]) -> str:
    bodies = entry.get("requestBody", {}).get("content", {})
    taken = [_row(f"<code>{escape(kind)}</code>", _link(content)) for kind, content in bodies.items()]
    answered = [
        _row(f"<code>{status}</code>", escape(told["description"]), " ".join(_contents(told)))
        for status, told in entry["responses"].items()
    ]
    request = f"<h3>Takes</h3><table>{''.join(taken)}</table>" if taken else ""
    return (
        f'<section><h2><b class="method">{escape(method)}</b><code>{escape(path)}</code></h2>'
        f"<p>{escape(entry['summary'])}</p>{request}<h3>Answers</h3><table>{''.join(answered)}</table></section>"
    )


def _contents(told: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in told.get("content", {}).items():
        yield _link(content) or f"<code>{escape(kind)}</code>"


def _link(content: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    name = schema.get("$ref", schema.get("items", {}).get("$ref", "")).rpartition("/")[2]
    if not name:
        return ""
    several = "list of " if schema.get("type") == "array" else ""
    return f'{several}<a href="#{escape(name)}">{escape(name)}</a>'


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    text = json.dumps(schema.get("properties", {}), indent=1, ensure_ascii=False)
    needed = ", ".join(schema.get("required", [])) or "nothing"
    return (
        f'<section id="{escape(name)}"><h2><code>{escape(name)}</code></h2>'
        f"<p>{escape(schema.get('description', ''))}</p><p>Required: <code>{escape(needed)}</code></p>"
        f"<pre>{escape(text)}</pre></section>"
    )


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
