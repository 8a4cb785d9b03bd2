"""Lines of a CSV file as cells. Two ways that give the same: most blocks go the fast one.

`split_block` cuts a block of lines column-wise where each line is a row by itself. Where a quoted cell spans
lines, a quote stands astray or bytes are not text, `records` goes row by row, and a line that can't be a
row loses only itself: the lines that its stray quote swallowed are given back.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TextIO

import polars as pl

Record = tuple[int, list[str]]
Broken = tuple[int, str, str]


class Lines:
    """The file's lines, counted; some may be given back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._back: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._file)
        self.taken.append(line)
        self.number += 1
        return line

    def block(self, rows: int, size: int) -> list[str]:
        """The next lines, at most `rows` of them, and not many more than `size` characters."""
        block: list[str] = []
        while len(block) < rows and size > 0:
            some = list(islice(self, min(1_000, rows - len(block))))
            if not some:
                break
            block += some
            size -= sum(map(len, some))
        self.taken.clear()
        return block

    def give_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


def split_block(
    block: list[str], first: int, delimiter: str, width: int
) -> tuple[pl.DataFrame, list[Broken]] | None:
    """Columns "0" … and `line`, and the lines with another number of cells; None where it can't be told.

    Args:
        first: the number of the block's first line.
    """
    try:
        texts = pl.Series("text", block, dtype=pl.String())
    except UnicodeEncodeError:
        return None
    lines = texts.to_frame().select(
        pl.int_range(first, first + len(block), dtype=pl.Int64()).alias("line"),
        pl.col("text").str.strip_chars_end("\r\n"),
        pl.col("text").str.count_matches('"', literal=True).alias("quotes"),
        (pl.col("text").str.count_matches(delimiter, literal=True) == width - 1).alias("fits"),
    )
    quoted = _quoted(lines.filter(pl.col("quotes") > 0), delimiter, width)
    if quoted is None:
        return None
    plain = lines.filter((pl.col("quotes") == 0) & (pl.col("text").str.strip_chars() != ""))
    cut = plain.filter("fits").select(_cells(delimiter, width), "line")
    ragged = plain.filter(~pl.col("fits")).select("line", "text")
    broken = [(n, _ragged(text.count(delimiter) + 1, width), text.strip()) for n, text in ragged.iter_rows()]
    rows, misfits = quoted
    return pl.concat([cut.unnest("cells"), rows]).sort("line"), sorted(broken + misfits)


def _cells(delimiter: str, width: int) -> pl.Expr:
    names = [str(place) for place in range(width)]
    if width == 1:
        return pl.struct(pl.col("text").alias("0")).alias("cells")
    cut = pl.col("text").str.split_exact(delimiter, width - 1).struct.rename_fields(names)
    return cut.alias("cells")


def _quoted(lines: pl.DataFrame, delimiter: str, width: int) -> tuple[pl.DataFrame, list[Broken]] | None:
    """The rows of lines with quotes; None where one of them is not a row by itself."""
    if (lines["quotes"] % 2 == 1).any():
        return None
    try:
        rows = list(csv.reader(lines["text"], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    if len(rows) != lines.height:
        return None
    numbered = list(zip(lines["line"], rows, lines["text"], strict=True))
    good = [(number, row) for number, row, _ in numbered if len(row) == width]
    broken = [(n, _ragged(len(row), width), text.strip()) for n, row, text in numbered if len(row) != width]
    return frame_of(good, width), broken


def frame_of(records: list[Record], width: int) -> pl.DataFrame:
    """Rows of cells → columns "0" … and `line`."""
    columns = list(zip(*(row for _, row in records), strict=True)) or [()] * width
    frame = pl.DataFrame([pl.Series(str(i), cells, dtype=pl.String()) for i, cells in enumerate(columns)])
    return frame.with_columns(pl.Series("line", [number for number, _ in records], dtype=pl.Int64()))


def records(lines: Lines, delimiter: str, width: int) -> Iterator[Record | Broken]:
    """Row by row: (line, cells) of rows that have `width` cells, (line, reason, text) of the rest."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.taken.clear()
        start = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row, reason = [], f"not CSV: {error}"
        else:
            reason = _ragged(len(row), width)
        if len(row) == width:
            yield start, row
        elif lines.taken[0].strip():
            lines.give_back(lines.taken[1:])
            yield start, reason, lines.taken[0].strip().encode(errors="replace").decode()


def _ragged(cells: int, width: int) -> str:
    return f"{cells} cells where the header has {width}"
