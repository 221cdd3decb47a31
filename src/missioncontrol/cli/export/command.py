"""The command `export`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import IO, Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from missioncontrol.cli.export.columns import (
    FIRST_FIELDS,
    event_columns,
    event_rows,
    record_table,
    token_table,
)
from missioncontrol.cli.export.target import STANDARD_OUTPUT, open_target
from missioncontrol.cli.export.writers import Form, make_writer
from missioncontrol.cli.history import Past, Stretch, find_stretch, open_past, read_stretch
from missioncontrol.cli.moments import EXAMPLES, read_moment
from missioncontrol.cli.sentences import describe_gap, note
from missioncontrol.cli.settings import ClientToken, Url, read_token, read_url
from missioncontrol.cli.values import EventPatterns
from missioncontrol.errors import ConfigError
from missioncontrol.events import Data, Patterns
from missioncontrol.events.sentences import size

Noun = Literal["events", "tasks", "tokens", "agents", "leads"]

_SUFFIXES: dict[str, Form] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
}


def export(
    what: Annotated[Noun, Parameter(name="WHAT", help="What to export.")],
    /,
    *patterns: EventPatterns,
    format_: Annotated[
        Form | None,
        Parameter(
            name="--format", help="The form. Default: by the ending of the file's name, else `ndjson`."
        ),
    ] = None,
    from_: Annotated[
        str | None,
        Parameter(name="--from", help=f"Where events begin, or the first day of tokens: {EXAMPLES}."),
    ] = None,
    to: Annotated[
        str | None,
        Parameter(help="Where events end; for all else, the moment as of which to tell it. Default: now."),
    ] = None,
    output: Annotated[
        str, Parameter(name=["--output", "-o"], help="The file to write, `-` for standard output.")
    ] = STANDARD_OUTPUT,
    force: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace a file that exists.")
    ] = False,
    raw: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Write texts that a spreadsheet would take for a formula into CSV as they are, "
            "without an apostrophe before them.",
        ),
    ] = False,
    data: Annotated[
        Path | None, Parameter(help="Read the log in this data folder, where no server runs.")
    ] = None,
    url: Url = None,
    token: ClientToken = None,
) -> int:
    """Write events, or the fleet's tasks, tokens, agents or leads, for other programs to read.

    NDJSON has events byte for byte as the log has them. CSV and Parquet have a column for each plain field of their
    types, and all data as JSON in the last. A file is there whole or not at all. Parquet needs
    `pip install mission-control[parquet]`.

    For example:

        mission-control export events --from 1d --output yesterday.ndjson
        mission-control export events task 'token:*' --format csv > events.csv
        mission-control export events --from 2026-11-01 --output november.parquet
        mission-control export tokens --format csv --from 7d
        mission-control export tasks --to 'yesterday 18:00' --output tasks.csv
    """
    form = format_ or _SUFFIXES.get(Path(output).suffix.lower(), "ndjson")
    if what != "events" and patterns:
        raise ConfigError(f"Patterns choose among events; {what} are exported whole.")
    if from_ is not None and what not in ("events", "tokens"):
        raise ConfigError(
            f"{what.capitalize()} are told as of one moment: give it with --to, without --from."
        )
    if form == "parquet" and output == STANDARD_OUTPUT and sys.stdout.isatty():
        raise ConfigError("Parquet is not for a terminal; name a file with --output.")
    wanted = Patterns(patterns or ("*",))
    job = _Export(form, raw=raw)
    past = open_past(read_url(url), read_token(token), data)

    async def run() -> None:
        async with past as opened:
            with open_target(output, force=force) as target:
                if what == "events":
                    await job.events(opened, target, wanted, from_, to)
                else:
                    await job.records(opened, target, what, from_, to)

    started = monotonic()
    asyncio.run(run())
    if output != STANDARD_OUTPUT:
        path = Path(output).expanduser()
        how_big = f", {size(path.stat().st_size)}" if path.is_file() else ""
        noun = what.removesuffix("s") if job.count == 1 else what
        note(f"{job.count:,} {noun}{how_big} in {monotonic() - started:.1f} s: {output}")
    return 0


class _Export:
    """One run; `count` is what was written."""

    def __init__(self, form: Form, *, raw: bool) -> None:
        self._form = form
        self._raw = raw
        self.count = 0

    async def events(
        self, past: Past, output: IO[bytes], patterns: Patterns, begin: str | None, end: str | None
    ) -> None:
        """Write the events between two moments, a page at a time."""
        stretch = await find_stretch(past, begin, end)
        if stretch.note:
            note(stretch.note)
        columns = event_columns(patterns)
        table = None if self._form == "ndjson" else make_writer(self._form, output, columns, raw=self._raw)
        with _progress(stretch) as moved:
            async for page in read_stretch(past, stretch, patterns):
                if page.gap is not None:
                    note(f"GAP: {describe_gap(page.gap)}")
                if table is not None:
                    table.write(event_rows(columns, page.bodies))
                elif page.bodies:
                    output.write(b"\n".join(page.bodies) + b"\n")
                self.count += len(page.bodies)
                moved(page.last)
        if table is not None:
            table.close()

    async def records(
        self, past: Past, output: IO[bytes], what: Noun, begin: str | None, end: str | None
    ) -> None:
        """Write a part of the state as of a moment."""
        at = None if end is None else (await find_stretch(past, None, end)).to
        part = (await past.state(at))[what]
        if what == "tokens":
            columns, rows = token_table(part, None if begin is None else _day(begin))
        else:
            records: list[Data] = part
            if self._form == "ndjson":
                output.write(msgspec.json.Encoder().encode_lines(records))
                self.count = len(records)
                return
            columns, rows = record_table(records, FIRST_FIELDS[what].split())
        table = make_writer(self._form, output, columns, raw=self._raw)
        table.write(rows)
        table.close()
        self.count = len(rows)


def _day(text: str) -> str:
    moment = read_moment(text, datetime.now().astimezone())
    if not isinstance(moment, datetime):
        raise ConfigError("Tokens are told by days: give --from as a time, not as a cursor.")
    return moment.strftime("%Y-%m-%d")


@contextmanager
def _progress(stretch: Stretch) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far the export is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda id_: None
        return
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("events", total=max(0, stretch.to - stretch.after))
        yield lambda id_: progress.update(bar, completed=id_ - stretch.after)
