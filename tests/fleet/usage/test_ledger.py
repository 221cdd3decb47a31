"""What is entered into the ledger: whose it is, what it sums up to, what is to be warned about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from missioncontrol.fleet.agent_status import SILENT_SECONDS
from missioncontrol.fleet.usage.agent_sessions import AgentSessions
from missioncontrol.fleet.usage.ledger import UsageBatch, UsageLedger
from missioncontrol.fleet.usage.lines import use_of
from missioncontrol.fleet.usage.runaways import IN_A_ROW, KNOWN_MINUTES
from missioncontrol.fleet.usage.sessions import Owners, Session
from missioncontrol.runtimes.records import Record, SessionInfo, ToolCall, Turn, Usage

NOW = 1_795_435_200_000
MINUTE = 60_000


def make_ledger(
    agents: dict[str, dict[str, Any]] | None = None, homes: dict[str, str] | None = None
) -> UsageLedger:
    places = {Path(f"/home/user/{folder}"): agent for folder, agent in (homes or {}).items()}
    return UsageLedger(Owners(Path("/home/user/workspace"), agents or {}, places))


def usage(number: int, session: str = "s1", **fields: Any) -> Usage:
    told = {"at": NOW, "model": "fake-1", "input": 10, "output": 5, "cost": 0.25, **fields}
    return Usage(key=f"r{number}", runtime="openclaw", session=session, **told)


def take(ledger: UsageLedger, *records: Record) -> UsageBatch:
    ledger.take(records, NOW)
    return ledger.take_batch()[0]


def owner(ledger: UsageLedger, info: SessionInfo) -> tuple[str, str]:
    take(ledger, info)
    session = ledger.sessions[info.session]
    return session.agent, session.name


def test_a_session_belongs_to_whom_its_first_message_names_where_the_workspace_knows_one() -> None:
    ledger = make_ledger({"scout": {"name": "The Scout"}})
    for persona, agent in (("Scout", "scout"), ("the scout", "scout"), ("Nobody", "main")):
        info = SessionInfo(persona, "openclaw", agent="main", persona=persona)
        assert owner(ledger, info)[0] == agent


def test_a_sub_agents_session_belongs_to_its_parents_agent() -> None:
    ledger = make_ledger()
    assert owner(ledger, SessionInfo("p", "claude", cwd="/home/user/app")) == (
        "claude-app",
        "Claude Code · app",
    )
    assert owner(ledger, SessionInfo("c", "claude", parent="p"))[0] == "claude-app"


def test_a_session_belongs_to_the_agent_in_whose_folder_it_works() -> None:
    ledger = make_ledger(homes={"workspace-forge": "forge"})
    assert owner(ledger, SessionInfo("a", "claude", cwd="/home/user/workspace-forge/src"))[0] == "forge"
    assert owner(ledger, SessionInfo("b", "codex", cwd="/home/user/workspace/agents/quill"))[0] == "quill"
    assert owner(ledger, SessionInfo("c", "codex", cwd="/elsewhere/agents/quill"))[0] == "codex-quill"


@pytest.mark.parametrize(
    "folder", ["C:\\\\Users\\\\dev\\\\shop", "C:/Users/dev/shop", "\\\\\\\\nas\\\\dev\\\\shop"]
)
def test_a_folder_of_windows_is_called_by_its_last_part(folder: str) -> None:
    found = owner(make_ledger(), SessionInfo("w", "claude", cwd=folder.replace("\\\\", "\\")))
    assert found == ("claude-shop", "Claude Code · shop")


def test_two_folders_of_one_name_are_two_agents() -> None:
    ledger = make_ledger()
    first = owner(ledger, SessionInfo("a", "claude", cwd="/home/user/one/app"))[0]
    second = owner(ledger, SessionInfo("b", "claude", cwd="/home/user/two/app"))[0]
    assert owner(ledger, SessionInfo("c", "claude", cwd="/home/user/one/app"))[0] == first != second


def test_uses_are_summed_by_session_model_day_and_where_the_cost_comes_from() -> None:
    ledger = make_ledger()
    page = take(
        ledger,
        SessionInfo("s1", "openclaw", agent="scout"),
        usage(1),
        usage(1),
        usage(2, cost=None),
        usage(3, output=7, cache_read=100, cache_write=20),
    )
    uses = {line.source: use_of(line, sums) for line, sums in page.uses.items()}
    assert uses["transcript"]["calls"] == 2
    assert uses["transcript"]["tokens"] == 15 + 17 + 120
    assert uses["transcript"]["cost"] == 0.5
    assert (uses["none"]["tokens"], uses["none"]["cost"]) == (15, 0)
    assert {line.agent for line in page.uses} == {"scout"}


def test_of_a_response_that_grows_over_pages_the_difference_counts() -> None:
    ledger = make_ledger()
    take(ledger, usage(1, output=5, cost=0.25))
    page = take(ledger, usage(1, output=8, cost=0.75))
    (sums,) = page.uses.values()
    assert (sums.output, sums.input, sums.calls, sums.cost) == (3, 0, 0, 0.5)


def remembered_of(ledger: UsageLedger) -> dict[str, bytes]:
    _, changes = ledger.take_batch()
    return {key: kept for key, kept in changes.items() if kept is not None}


def test_what_is_remembered_makes_the_same_book() -> None:
    ledger = make_ledger()
    ledger.take([SessionInfo("s1", "openclaw", agent="scout"), usage(1), Turn("s1", NOW, "busy")], NOW)
    changes = remembered_of(ledger)
    again = make_ledger()
    again.recall(changes, 0)
    assert again.sessions == ledger.sessions
    assert take(again, usage(1)).uses == {}


def test_the_same_call_again_and_again_is_warned_about_with_the_cost_so_far() -> None:
    ledger = make_ledger()
    call = ToolCall("s1", NOW, "c", "exec", "digest", "curl localhost")
    page = take(ledger, SessionInfo("s1", "openclaw", agent="scout"), usage(1), *[call] * (IN_A_ROW + 3))
    (warning,) = page.warnings
    assert "scout" in warning.message
    assert "curl localhost" in warning.message
    assert (warning.details["count"], warning.details["costSoFar"]) == (IN_A_ROW, 0.25)


def test_what_happened_long_ago_is_no_warning() -> None:
    ledger = make_ledger()
    call = ToolCall("s1", NOW - 60 * MINUTE, "c", "exec", "digest", "curl localhost")
    assert take(ledger, *[call] * 20).warnings == []


def test_sudden_spending_is_warned_about() -> None:
    ledger = make_ledger()
    minutes = [usage(n, at=NOW - (KNOWN_MINUTES + 5 - n) * MINUTE, cost=0.1) for n in range(KNOWN_MINUTES)]
    assert take(ledger, SessionInfo("s1", "openclaw", agent="scout"), *minutes).warnings == []
    (warning,) = take(ledger, usage(99, cost=2.0)).warnings
    assert (warning.details["spentInMinute"], warning.details["usualInMinute"]) == (2.0, 0.1)


def doing(*sessions: tuple[str, int], alive: bool | None = None) -> str:
    known = [Session("scout", "scout", "openclaw", doing=how, at=at) for how, at in sessions]  # type: ignore[arg-type]
    standings = AgentSessions({})
    for number, session in enumerate(known):
        standings.changed(str(number), session)
    return standings.doings(NOW, alive={"openclaw": alive})["scout"].status


def test_a_session_whose_id_is_too_long_is_refused_and_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = make_ledger()
    page = take(ledger, usage(1, "s" * 3_000), SessionInfo("s" * 201, "claude"), usage(2, "s2"))
    assert [line.session for line in page.uses] == ["s2"]
    assert ledger.refused == 2
    (record,) = caplog.records
    assert record.exc_info is None
    assert "3,000 characters" in record.reason  # type: ignore[attr-defined]


def test_what_a_transcript_says_later_is_later_whatever_its_clock_says() -> None:
    ledger = make_ledger()
    hours = 2 * 3_600_000
    take(
        ledger, Turn("s", NOW + hours, "busy", in_order=True), Turn("s", NOW - MINUTE, "idle", in_order=True)
    )
    assert (ledger.sessions["s"].doing, ledger.sessions["s"].at) == ("idle", NOW - MINUTE)
    # Nothing has happened later than now, so that a source with the right time is believed after it.
    take(ledger, Turn("s", NOW + hours, "busy", in_order=True))
    assert ledger.sessions["s"].at == NOW
    # What another source says is judged by its time.
    take(ledger, Turn("s", NOW - 1, "idle"))
    assert ledger.sessions["s"].doing == "busy"


def test_an_agent_waits_while_one_of_its_sessions_does_and_else_is_busy_or_as_the_last_one_ended() -> None:
    assert doing(("idle", NOW), ("busy", NOW - 5)) == "busy"
    assert doing(("busy", NOW), ("waiting", NOW - 5)) == "waiting"
    assert doing(("idle", NOW), ("waiting", NOW - 5)) == "waiting"
    assert doing(("error", NOW), ("idle", NOW - 5)) == "error"
    assert doing(("error", NOW - 5), ("idle", NOW)) == "idle"


def test_a_busy_session_without_a_sign_is_silent_and_one_without_its_gateway_offline() -> None:
    long_ago = NOW - SILENT_SECONDS * 1000 - 1
    assert doing(("busy", long_ago)) == "silent"
    assert doing(("busy", long_ago), ("idle", NOW)) == "idle"
    assert doing(("busy", NOW), alive=False) == "offline"
    assert doing(("idle", NOW), alive=False) == "idle"


def test_a_session_whose_process_has_ended_is_offline_until_it_goes_on() -> None:
    ledger = make_ledger()
    take(ledger, SessionInfo("a", "claude", cwd="/app"), SessionInfo("b", "claude", cwd="/app"))
    take(ledger, Turn("a", NOW - 9, "idle", in_order=True), Turn("b", NOW, "waiting", in_order=True))
    agent = ledger.sessions["a"].agent

    def status() -> str:
        return ledger.doings(NOW, alive={})[agent].status

    ledger.check_processes({"a", "b"}, set(), NOW)
    assert status() == "waiting"
    # Killed: what is left is the other one, at its prompt.
    ledger.check_processes({"a"}, {"b"}, NOW)
    assert status() == "idle"
    ledger.check_processes(set(), {"a"}, NOW)
    assert status() == "offline"
    take(ledger, Turn("b", NOW + 1, "busy", in_order=True))
    assert status() == "busy"


HOOK = "Claude Code hook"


def test_background_tasks_keep_a_session_busy_until_the_hooks_say_more() -> None:
    ledger = make_ledger()

    def after(turn: Turn) -> str:
        take(ledger, turn)
        return ledger.sessions["s"].doing

    assert after(Turn("s", NOW, "busy", "background task", HOOK, holds=True)) == "busy"
    # The transcript's end of the turn comes after the hook.
    assert after(Turn("s", NOW + 1, "idle", in_order=True)) == "busy"
    assert after(Turn("s", NOW + 2, "error", "failed", in_order=True)) == "error"
    assert after(Turn("s", NOW + 3, "busy", "background task", HOOK, holds=True)) == "busy"
    assert after(Turn("s", NOW + 4, "idle", None, HOOK)) == "idle"


def test_a_call_that_a_hook_and_a_transcript_tell_of_counts_once_in_either_order() -> None:
    ledger = make_ledger()
    for number in range(IN_A_ROW - 1):
        ways = (None, HOOK) if number % 2 else (HOOK, None)
        calls = [ToolCall("s1", NOW, f"toolu_{number}", "exec", "d", "make", evidence=way) for way in ways]
        assert take(ledger, *calls, *calls).warnings == []
    told = take(ledger, ToolCall("s1", NOW, "toolu_last", "exec", "d", "make", evidence=HOOK)).warnings
    assert [warning.details["count"] for warning in told] == [IN_A_ROW]


def test_what_a_hook_says_is_waited_for_does_not_end_with_a_tool_next_to_it() -> None:
    ledger = make_ledger()
    take(ledger, Turn("s1", NOW, "waiting", "Bash rm", HOOK))
    take(ledger, Turn("s1", NOW + 1, "busy", parallel=True))
    assert (ledger.sessions["s1"].doing, ledger.sessions["s1"].detail) == ("waiting", "Bash rm")
    take(ledger, Turn("s1", NOW + 2, "busy"))
    assert ledger.sessions["s1"].doing == "busy"
    # A transcript knows of its own questions when they are answered.
    take(
        ledger, Turn("s1", NOW + 3, "waiting", "AskUserQuestion"), Turn("s1", NOW + 4, "busy", parallel=True)
    )
    assert ledger.sessions["s1"].doing == "busy"


def test_a_session_that_ends_ends_its_sub_agents() -> None:
    ledger = make_ledger()
    take(ledger, SessionInfo("p", "claude", cwd="/a"))
    take(ledger, SessionInfo("c", "claude", parent="p"), Turn("c", NOW, "busy"))
    take(ledger, SessionInfo("d", "claude", parent="p"), Turn("d", NOW, "error", "no"))
    take(ledger, Turn("p", NOW + 1, "offline", evidence=HOOK))
    assert [ledger.sessions[id_].doing for id_ in "pcd"] == ["offline", "offline", "error"]
    shown = ledger.doings(NOW + 2, alive={})["claude-a"]
    assert (shown.status, shown.evidence) == ("offline", HOOK)


def test_whose_a_session_is_hangs_on_its_first_message_alone_also_after_a_restart() -> None:
    agents = {"scout": {"name": "Scout"}, "forge": {"name": "Forge"}}
    ledger = make_ledger(agents)
    take(ledger, SessionInfo("a", "claude", cwd="/a"))
    ledger.take([SessionInfo("a", "claude", first_user_message="You are Scout.", persona="Scout")], NOW)
    remembered = remembered_of(ledger)
    again = make_ledger(agents)
    again.recall(remembered, 0)
    for one in (ledger, again):
        take(one, SessionInfo("a", "claude", first_user_message="You are Forge.", persona="Forge"))
        assert one.sessions["a"].agent == "scout"


@pytest.mark.parametrize("linked_first", [True, False])
def test_a_turn_that_two_programs_have_written_down_counts_once(linked_first: bool) -> None:
    ledger = make_ledger()
    relayed = Usage("openclaw:1", "openclaw", "o", NOW, "m", input=30, output=300, cost=0.03, voice="logs")
    link = SessionInfo("c", "claude", parent="o")
    own = [Usage(f"claude:{number}", "claude", "c", NOW, "m", input=15, output=150) for number in range(2)]
    opened = SessionInfo("o", "openclaw", agent="main")
    first: list[Record] = [link, relayed] if linked_first else [relayed, link]
    page = take(ledger, opened, *first, *own)
    sums = page.agents()
    assert set(sums) == {"main"}
    assert sum(one.input + one.output for _, one in sums["main"]) == 330
    assert sum(one.cost for _, one in sums["main"]) == 0.03
