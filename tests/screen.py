"""A terminal as a user sees it: pyte, with the two ways in which terminals take a new size."""

from __future__ import annotations

import copy

import pyte


class Screen:
    """``folds``: a line that became too long is folded (VTE, Windows Terminal) instead of cut off (xterm)."""

    def __init__(self, columns: int, rows: int, *, folds: bool = False) -> None:
        self.columns, self.height, self._folds = columns, rows, folds
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    def feed(self, output: bytes) -> None:
        self._stream.feed(output)

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self._screen.display]

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row."""
        return self._screen.cursor.x, self._screen.cursor.y

    @property
    def cursor_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    def resize(self, columns: int, rows: int) -> None:
        """The cursor stays at its character; lines leave at the top only when there is no room for it."""
        x, y = self.cursor
        cells: list[dict[int, pyte.screens.Char]] = []
        at = 0
        for number in range(max(y + 1, self._used())):
            row = copy.copy(self._screen.buffer[number])
            if number == y:
                at = len(cells)
            length = max((i for i, cell in row.items() if cell.data != " "), default=-1) + 1
            parts = range(0, max(length, 1), columns) if self._folds else range(1)
            # The second half of a wide character (a cell with nothing in it) never stands at the beginning of a row.
            cells += [
                {i - start: c for i, c in row.items() if start <= i < start + columns and (c.data or i > start)}
                for start in parts
            ]
        gone = max(0, at - (rows - 1))
        fresh = pyte.Screen(columns, rows)
        for number, row in enumerate(cells[gone : gone + rows]):
            fresh.buffer[number].update(row)
        fresh.cursor.x, fresh.cursor.y = min(x, columns - 1), at - gone
        self.columns, self.height = columns, rows
        self._screen = fresh
        self._stream = pyte.ByteStream(fresh)

    def _used(self) -> int:
        return max((number for number, row in enumerate(self.rows, 1) if row), default=0)
