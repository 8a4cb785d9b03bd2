"""The picture and the page: sound markup, text as text, nothing from outside, boxes that don't overlap."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import combinations
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.journey.choose import MOST_STEPS, choose
from nba.journey.layout import HEIGHT, WIDTH, arrange
from nba.journey.map import Asked, JourneyMap, draw_map
from nba.journey.page import page, sequence
from nba.journey.picture import duration, svg
from nba.journey.split import by_part
from tests.journey.tables import Row, events, some_rows

EVIL = '<script>alert("x")</script> & \'"><img src=x onerror=alert(1)>\x07'


def drawn(rows: list[Row], **asked: str) -> JourneyMap:
    return draw_map(events(rows), Asked(**asked))  # type: ignore[arg-type]


def texts(picture: str) -> str:
    return " ".join(ElementTree.fromstring(picture).itertext())


@settings(max_examples=50)
@given(some_rows)
def test_every_map_is_a_well_formed_picture_that_names_its_steps(rows: list[Row]) -> None:
    found = drawn(rows)
    told = texts(svg(found, "A map"))
    assert all(f"{step}: " in told for step in found.steps["step"])
    assert f"{found.cases:,} cases" in told


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 14), st.integers(0, 14), st.integers(1, 99)),
        max_size=40,
        unique_by=lambda link: link[:2],
    )
)
def test_boxes_never_overlap_and_every_line_begins_and_ends_at_its_boxes(
    links: list[tuple[int, int, int]],
) -> None:
    names = [f"s{i}" for i in range(15)]
    steps = pl.DataFrame({"step": names, "count": [9] * 15, "starts": [3] + [0] * 14, "ends": [0] * 15})
    edges = pl.DataFrame(
        [(f"s{a}", f"s{b}", n) for a, b, n in links], schema=["from", "to", "count"], orient="row"
    ).cast({"from": pl.String, "to": pl.String, "count": pl.Int64})
    found = arrange(steps, edges)
    for (x, y), (u, v) in combinations(found.boxes.values(), 2):
        assert abs(x - u) >= WIDTH or abs(y - v) >= HEIGHT
    assert len(found.edges) == sum(a != b for a, b, _ in links)
    for edge in found.edges:
        for name, (px, py) in ((edge.start, edge.points[0]), (edge.goal, edge.points[-1])):
            x, y = found.boxes[name]
            assert x - 1e-6 <= px <= x + WIDTH + 1e-6
            assert y - 1e-6 <= py <= y + HEIGHT + 1e-6
        assert all(0 <= x <= found.width and 0 <= y <= found.height for x, y in edge.points)


def test_what_runs_from_left_to_right_mostly_is_drawn_so() -> None:
    rows: list[Row] = [(f"c{i}", step, t) for i in range(30) for t, step in enumerate("ABCD")]
    rows += [("back", step, t) for t, step in enumerate("DCBA")]
    shown = choose(drawn(rows))
    boxes = arrange(shown.steps, shown.edges).boxes
    assert [name for name, _ in sorted(boxes.items(), key=lambda item: item[1][0])] == list("ABCD")
    backward = {(e.start, e.goal) for e in arrange(shown.steps, shown.edges).edges if e.backward}
    assert backward == {("D", "C"), ("C", "B"), ("B", "A")}


def test_a_large_map_shows_the_most_frequent_and_says_what_it_leaves_out() -> None:
    rows: list[Row] = []
    for i in range(600):
        rows += [(f"c{i}", f"step {(i + k) % (10 + i // 10):02d}", k) for k in range(6)]
    found = drawn(rows)
    shown = choose(found)
    assert shown.steps.height == MOST_STEPS
    assert f"20 of {found.steps.height} steps" in shown.said
    told = texts(svg(found, "Large"))
    assert shown.said in told


def test_html_in_the_data_is_shown_as_text_everywhere() -> None:
    rows = [row for i in range(40) for row in [(f"c{i}", EVIL, 0), (f"c{i}", "b", 1), (f"c{i}", EVIL, 2)]]
    whole = events(rows, part=[EVIL] * len(rows))
    found = draw_map(whole, Asked(start=EVIL, end="b", goal="b"), split_by=EVIL, parts=by_part(whole))
    document = page(found, EVIL)
    assert "<script" not in document
    assert "<img" not in document
    assert "\x07" not in document
    tags = set(re.findall(r"<([a-z]+)[ >/]", document))
    assert not tags & {"script", "img", "iframe", "link", "object", "foreignObject"}
    ElementTree.fromstring(svg(found, EVIL))


def test_the_page_asks_nothing_of_the_outside_and_every_picture_has_its_tables() -> None:
    rows = [
        (f"c{i}", step, t)
        for i in range(240)
        for t, step in [(0, "A"), (1 + i % 9, "B"), (99, "C")][: 1 + i % 3]
    ]
    document = page(drawn(rows), "Journeys")
    assert "default-src 'none'" in document
    addresses = re.findall(r"https?://[^\"' >]+", document)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    assert "url(" not in document.replace("url(#", "")
    for heading in ("Steps", "Transitions", "Frequent variants", "Where it waits"):
        assert f"<caption>{heading}" in document
    assert "Not judged" in document

    class Sound(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.open += [tag] if tag not in ("meta", "rect", "path") else []

        def handle_endtag(self, tag: str) -> None:
            if tag not in ("rect", "path"):
                assert self.open.pop() == tag

    reader = Sound()
    reader.feed(document.replace("/>", ">"))
    reader.close()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 s"),
        (59.0, "59 s"),
        (90.0, "1.5 min"),
        (7_200.0, "2.0 h"),
        (8.8128e6, "102 d"),
        (4.1e7, "1.3 y"),
    ],
)
def test_durations_are_in_the_largest_unit_that_they_fill(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_long_variant_is_cut_in_its_middle_and_counted() -> None:
    told = sequence([str(i) for i in range(100)])
    assert told.startswith("0 → 1 → ")
    assert told.endswith("→ 98 → 99")
    assert "75 more" in told
