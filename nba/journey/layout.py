"""Where steps and transitions stand in the picture: layers from left to right, in units of pixels.

Sugiyama's four steps (1981), each in its simplest sound form:

    order    transitions from the most frequent on, each kept ahead unless it closes a circle; what does runs
             backwards (the greedy way to few crossings against the order)
    layers   every step stands right of those from which a fair share of its crossings comes
    lanes    within a layer by the barycentre of the neighbours, swept to and fro; an edge over several
             layers has a place of its own in each of them
    heights  as near to the neighbours as the distances in the layer allow: isotonic regression

Edges that run backwards pass below the picture, the shorter ones nearer; those within a layer bend beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Link = tuple[str, str, int]

WIDTH, HEIGHT = 168.0, 64.0  # of a step's box
ACROSS, BETWEEN, PASSING = 108.0, 30.0, 18.0  # between layers; between boxes; between edges that pass
LANE = 24.0
MARGIN = 28.0
_SWEEPS = 12
_FAIR = 0.2  # of the step's most frequent way in


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A transition with `count` crossings.

    Attributes:
        points: where its line goes: `ahead` from right border to left border, by way of the layers between;
            `beside` from right border to right border; `below` down, along a lane, and up.
        backward: whether it runs against the order of the steps.
    """

    start: str
    goal: str
    count: int
    points: tuple[tuple[float, float], ...]
    way: Literal["ahead", "beside", "below"]
    backward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Boxes by their upper left corner, and edges, on a sheet of `width` × `height`."""

    boxes: dict[str, tuple[float, float]]
    edges: tuple[Edge, ...]
    width: float
    height: float


@dataclass(slots=True, eq=False)
class _Vertex:
    """A step, or the place of an edge in a layer that it passes (name None)."""

    name: str | None
    layer: int
    near: list[tuple[_Vertex, float]] = field(default_factory=list)
    y: float = 0.0

    @property
    def room(self) -> float:
        return HEIGHT + BETWEEN if self.name is not None else PASSING


def arrange(steps: pl.DataFrame, edges: pl.DataFrame) -> Layout:
    """Lay out steps (step, starts, ends, …) and edges (from, to, count) between them; none to itself."""
    names = steps["step"].to_list()
    links = [(a, b, int(n)) for a, b, n in edges.select("from", "to", "count").iter_rows() if a != b]
    forward, place = _forward(names, links)
    layer = _layers(steps, links, forward, place)
    vertices = {name: _Vertex(name, layer[name]) for name in names}
    ways = {(a, b): _way(vertices[a], vertices[b], n) for a, b, n in links if layer[a] < layer[b]}
    columns = _columns(vertices, ways, place)
    _settle(columns)
    top = min(v.y for column in columns for v in column) - HEIGHT / 2
    for column in columns:
        for vertex in column:
            vertex.y += MARGIN - top
    bottom = max(v.y for column in columns for v in column) + HEIGHT / 2
    below, lanes = _below(vertices, [link for link in links if layer[link[0]] > layer[link[1]]], bottom)
    drawn = [_ahead(link, ways[link[:2]]) for link in links if link[:2] in ways]
    beside = [link for link in links if layer[link[0]] == layer[link[1]]]
    drawn += [_beside(link, vertices, backward=place[link[0]] > place[link[1]]) for link in beside]
    return Layout(
        boxes={name: (_x(v.layer), v.y - HEIGHT / 2) for name, v in vertices.items()},
        edges=tuple(sorted([*drawn, *below], key=lambda edge: -edge.count)),
        width=_x(max(layer.values())) + WIDTH + MARGIN + (ACROSS / 2 if beside else 0.0),
        height=bottom + MARGIN + LANE * (lanes + (1 if lanes else 0)),
    )


def _forward(names: Sequence[str], links: Sequence[Link]) -> tuple[list[Link], dict[str, int]]:
    """The transitions that close no circle, and the place of each step in an order that they follow."""
    reached: dict[str, set[str]] = {name: {name} for name in names}  # what can be come to from a step
    kept = []
    for a, b, n in sorted(links, key=lambda link: (-link[2], link)):
        if a in reached[b]:
            continue
        kept.append((a, b, n))
        for beyond in reached.values():
            if a in beyond:
                beyond |= reached[b]
    order = sorted(names, key=lambda name: -len(reached[name]))  # who comes to more stands before
    return kept, {name: i for i, name in enumerate(order)}


def _layers(
    steps: pl.DataFrame, links: Sequence[Link], forward: Sequence[Link], place: dict[str, int]
) -> dict[str, int]:
    """The longest path of transitions that bring a fair share of what comes into their goal."""
    into: dict[str, int] = dict(steps.select("step", "starts").iter_rows())
    for _, b, n in links:
        into[b] = max(into[b], n)
    layer = dict.fromkeys(place, 0)
    for a, b, n in sorted(forward, key=lambda link: place[link[0]]):
        if n >= _FAIR * into[b]:
            layer[b] = max(layer[b], layer[a] + 1)
    met = sorted(set(layer.values()))
    return {name: met.index(own) for name, own in layer.items()}


def _way(a: _Vertex, b: _Vertex, count: int) -> list[_Vertex]:
    """From one step to the next by way of a vertex in each layer between; they are told of each other."""
    way = [a, *(_Vertex(None, layer) for layer in range(a.layer + 1, b.layer)), b]
    for one, other in pairwise(way):
        one.near.append((other, float(count)))
        other.near.append((one, float(count)))
    return way


def _columns(
    vertices: dict[str, _Vertex], ways: dict[tuple[str, str], list[_Vertex]], place: dict[str, int]
) -> list[list[_Vertex]]:
    """The vertices of each layer from top to bottom."""
    columns: list[list[_Vertex]] = [[] for _ in range(max(v.layer for v in vertices.values()) + 1)]
    for name in sorted(vertices, key=place.__getitem__):
        columns[vertices[name].layer].append(vertices[name])
    for way in ways.values():
        for vertex in way[1:-1]:
            columns[vertex.layer].append(vertex)
    for column in columns:
        for rank, vertex in enumerate(column):
            vertex.y = float(rank)
    for sweep in range(_SWEEPS):
        for i in range(len(columns)) if sweep % 2 == 0 else reversed(range(len(columns))):
            side = i - 1 if sweep % 2 == 0 else i + 1
            centre = {id(v): _centre(v, side) for v in columns[i]}
            columns[i].sort(key=lambda v: centre[id(v)])
            for rank, vertex in enumerate(columns[i]):
                vertex.y = float(rank)
    return columns


def _centre(vertex: _Vertex, layer: int | None = None) -> float:
    """The mean height of the neighbours (of one layer), weighted by crossings; its own without any."""
    near = [(v.y, n) for v, n in vertex.near if layer is None or v.layer == layer]
    weight = sum(n for _, n in near)
    return sum(y * n for y, n in near) / weight if weight else vertex.y


def _settle(columns: list[list[_Vertex]]) -> None:
    """Give every vertex its height."""
    for column in columns:
        _spread(column, [_gaps(column)[: i + 1].sum() for i in range(len(column))])
    for sweep in range(_SWEEPS * 2):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _spread(column, [_centre(vertex) for vertex in column])


def _gaps(column: list[_Vertex]) -> Floats:
    """(v,) the least distance of each to the one above; 0 for the first."""
    return np.array([0.0, *((a.room + b.room) / 2 for a, b in pairwise(column))])


def _spread(column: list[_Vertex], wanted: Sequence[float]) -> None:
    """The heights nearest to the wanted ones (squares, weighted) that keep the order and the distances."""
    offset = np.cumsum(_gaps(column))
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many: pool adjacent violators
    for vertex, y in zip(column, np.asarray(wanted) - offset, strict=True):
        block = (float(y), 1.0 + sum(n for _, n in vertex.near), 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, weight, size = blocks.pop()
            total = weight + block[1]
            block = ((mean * weight + block[0] * block[1]) / total, total, size + block[2])
        blocks.append(block)
    heights = np.repeat([mean for mean, _, _ in blocks], [size for _, _, size in blocks]) + offset
    for vertex, height in zip(column, heights, strict=True):
        vertex.y = float(height)


def _x(layer: int) -> float:
    return MARGIN + layer * (WIDTH + ACROSS)


def _ahead(link: Link, way: list[_Vertex]) -> Edge:
    """From the right border of the first box, straight through the layers between, to the left border."""
    points = [(_x(way[0].layer) + WIDTH, way[0].y)]
    for vertex in way[1:-1]:
        points += [(_x(vertex.layer), vertex.y), (_x(vertex.layer) + WIDTH, vertex.y)]
    points.append((_x(way[-1].layer), way[-1].y))
    a, b, count = link
    return Edge(start=a, goal=b, count=count, points=tuple(points), way="ahead", backward=False)


def _beside(link: Link, vertices: dict[str, _Vertex], *, backward: bool) -> Edge:
    a, b, count = link
    right = _x(vertices[a].layer) + WIDTH
    points = ((right, vertices[a].y), (right, vertices[b].y))
    return Edge(start=a, goal=b, count=count, points=points, way="beside", backward=backward)


def _below(vertices: dict[str, _Vertex], links: Sequence[Link], bottom: float) -> tuple[list[Edge], int]:
    """The edges that run backwards, the shorter ones nearer, and how many lanes they take."""
    ports = _ports(vertices, links)
    edges: list[Edge] = []
    lanes: list[list[tuple[float, float]]] = []
    for a, b, count in sorted(links, key=lambda link: (ports[link][0] - ports[link][1], -link[2])):
        leave, arrive = ports[a, b, count]
        free = (i for i, lane in enumerate(lanes) if all(arrive > r + 16 or leave < x - 16 for x, r in lane))
        lane = next(free, len(lanes))
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append((arrive, leave))
        y, half = bottom + LANE * (lane + 1), HEIGHT / 2
        points = ((leave, vertices[a].y + half), (leave, y), (arrive, y), (arrive, vertices[b].y + half))
        edges.append(Edge(start=a, goal=b, count=count, points=points, way="below", backward=True))
    return edges, len(lanes)


def _ports(vertices: dict[str, _Vertex], links: Sequence[Link]) -> dict[Link, tuple[float, float]]:
    """Where each leaves and arrives below its boxes: leaving on the right half, arriving on the left."""
    found: dict[Link, tuple[float, float]] = {}
    leaving: dict[int, list[Link]] = {}
    arriving: dict[int, list[Link]] = {}
    for link in links:
        leaving.setdefault(vertices[link[0]].layer, []).append(link)
        arriving.setdefault(vertices[link[1]].layer, []).append(link)
    for link in links:
        a, b = vertices[link[0]].layer, vertices[link[1]].layer
        out = sorted(leaving[a], key=lambda other: (-vertices[other[1]].layer, other))
        into = sorted(arriving[b], key=lambda other: (-vertices[other[0]].layer, other))
        found[link] = (
            _x(a) + WIDTH * (0.92 - 0.37 * (out.index(link) + 1) / (len(out) + 1)),
            _x(b) + WIDTH * (0.45 - 0.37 * (into.index(link) + 1) / (len(into) + 1)),
        )
    return found
