"""The forms in which a table is written; all of them write as they go and keep nothing but the current piece.

NDJSON is one JSON text a line. CSV follows RFC 4180: commas, CRLF, quotes where they are needed, a line of headings,
UTF-8. Parquet is what pyarrow makes of it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from missioncontrol.cli.export.columns import Column, Row
from missioncontrol.errors import ConfigError
from missioncontrol.events.sentences import defuse

if TYPE_CHECKING:
    import pyarrow

Form = Literal["ndjson", "csv", "parquet"]

GROUP_ROWS = 20_000
"""How many rows Parquet keeps in memory before they are written."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_CELL_CONTROL = re.compile(r"[^\r\n\t]+")


class TableWriter(Protocol):
    """Writes rows of one table."""

    def write(self, rows: Iterable[Row]) -> None:
        """Write some rows."""

    def close(self) -> None:
        """Write what is still kept; the output itself stays open."""


def make_writer(form: Form, output: IO[bytes], columns: list[Column], *, raw: bool = False) -> TableWriter:
    """Begin a table.

    Args:
        form: how it is written.
        output: where it goes.
        columns: what it has.
        raw: whether CSV is to have texts that a spreadsheet would take for a formula as they are.

    Raises:
        ConfigError: Parquet is asked for and there is no pyarrow.
    """
    if form == "csv":
        return _Csv(output, columns, raw=raw)
    if form == "parquet":
        return _Parquet(output, columns)
    return _Ndjson(output, columns)


class _Ndjson:
    def __init__(self, output: IO[bytes], columns: list[Column]) -> None:
        self._output = output
        self._names = [column.name for column in columns]

    def write(self, rows: Iterable[Row]) -> None:
        records = [dict(zip(self._names, row, strict=True)) for row in rows]
        self._output.write(msgspec.json.Encoder().encode_lines(records))

    def close(self) -> None:
        pass


def harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula, and take out what a terminal would act on.

    As OWASP advises (https://owasp.org/www-community/attacks/CSV_Injection): names of agents and texts of tasks are
    written by programs that nobody has checked, and a cell that begins with one of these signs is run by whoever
    opens the file. Line ends and tabs within a cell stay.
    """
    shown = text if text.isprintable() else _CELL_CONTROL.sub(lambda found: defuse(found[0]), text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


class _Csv:
    def __init__(self, output: IO[bytes], columns: list[Column], *, raw: bool) -> None:
        self._output = output
        self._raw = raw
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow([column.name if raw else harmless(column.name) for column in columns])

    def write(self, rows: Iterable[Row]) -> None:
        self._writer.writerows([self._cell(value) for value in row] for row in rows)
        self._hand_on()

    def _cell(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if self._raw else harmless(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        return value

    def _hand_on(self) -> None:
        self._output.write(self._text.getvalue().encode("utf-8", "replace"))
        self._text.seek(0)
        self._text.truncate()

    def close(self) -> None:
        self._hand_on()


class _Parquet:
    def __init__(self, output: IO[bytes], columns: list[Column]) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise ConfigError(
                "Parquet needs pyarrow, which is not installed: pip install mission-control[parquet]"
            ) from None
        kinds = {
            "text": pyarrow.string(),
            "integer": pyarrow.int64(),
            "number": pyarrow.float64(),
            "flag": pyarrow.bool_(),
            "time": pyarrow.timestamp("ms", tz="UTC"),
        }
        self._columns = columns
        self._schema: pyarrow.Schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns])
        self._writer = parquet.ParquetWriter(output, self._schema, compression="zstd")
        self._make = pyarrow.Table.from_arrays
        self._array = pyarrow.array
        self._rows: list[Row] = []

    def write(self, rows: Iterable[Row]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= GROUP_ROWS:
            self._hand_on()

    def _hand_on(self) -> None:
        arrays = []
        for position, column in enumerate(self._columns):
            values = [row[position] for row in self._rows]
            if column.kind == "time":
                values = [None if value is None else datetime.fromisoformat(value) for value in values]
            arrays.append(self._array(values, self._schema.field(position).type))
        self._writer.write_table(self._make(arrays, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._hand_on()
        self._writer.close()
