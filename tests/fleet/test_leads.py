"""The leads' source, over real files."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fleet.world import World

from missioncontrol.fleet.lead_file import read_leads
from missioncontrol.json_text import blocks as json_blocks

pytestmark = pytest.mark.anyio

LEADS = "mission-control/data/leads.json"
SCORED = "mission-control/data/scored-leads-v2.json"
OTHER_LEADS = "mission-control/dashboard/data/leads.json"


def lead(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"lead_{number:03}", "company": f"Company {number}", "score": 50, **fields}


async def leads(world: World) -> dict[str, Any]:
    return {lead["id"]: lead for lead in (await world.state())["leads"]}


async def test_the_first_start_takes_what_is_there_as_state(world: World) -> None:
    world.write(LEADS, [lead(1), lead(2)])
    await world.start()
    await world.until(lambda: "leads" in str(world.told("state:baseline")))
    assert await leads(world) == {"lead_001": lead(1), "lead_002": lead(2)}
    assert not world.told("lead:added")


async def test_each_change_is_told_as_the_one_that_it_is(world: World) -> None:
    world.write(LEADS, [lead(1), lead(2), lead(3, region="EU")])
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 3)
    world.replace(LEADS, [lead(1, score=80), lead(2, company="New"), lead(3), lead(4)])  # type: ignore[arg-type]
    await world.until(lambda: world.told("lead:added"))
    (scored,) = world.told("lead:scored")
    assert (scored["leadId"], scored["score"], scored["previousScore"]) == ("lead_001", 80, 50)
    updated = {told["leadId"]: told for told in world.told("lead:updated")}
    assert updated["lead_002"]["updates"] == {"company": "New"}
    assert updated["lead_003"]["removed"] == ["region"]
    assert world.told("lead:added") == [{"lead": lead(4)}]
    world.write(LEADS, [lead(4)])
    await world.until(lambda: len(world.told("lead:removed")) == 3)
    assert await leads(world) == {"lead_004": lead(4)}


async def test_an_entry_that_goes_and_one_that_comes_are_told_alone(world: World) -> None:
    many = [lead(number) for number in range(2_000)]
    world.write(LEADS, many)
    scoring = {"leadId": "lead_007", "company": "Company 7", "totalScore": 70}
    world.write(SCORED, {"scoredLeads": [scoring]})
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 2_000)
    before = len(world.records)
    world.replace(LEADS, [*many[:1_000], *many[1_001:], lead(9_999)])  # type: ignore[arg-type]
    await world.until(lambda: world.told("lead:added") and world.told("lead:removed"))
    await world.restart()
    world.replace(SCORED, {"scoredLeads": [{**scoring, "totalScore": 71}]})
    await world.until(lambda: world.told("lead:scored"))
    world.replace(LEADS, many[:1_000])  # type: ignore[arg-type]
    await world.until(lambda: len(world.folded.table("leads")) == 1_000)
    told = [(record.type, record.data.get("leadId")) for record in world.records[before:]]
    assert told[:3] == [("lead:added", None), ("lead:removed", "lead_1000"), ("lead:scored", "lead_007")]
    assert (await leads(world))["lead_007"]["score"] == 71


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(0, 60), max_size=60), st.lists(st.integers(0, 60), max_size=60), st.integers(0, 9)
)
def test_a_list_that_is_read_after_another_is_what_a_fresh_reader_finds(
    old: list[int], new: list[int], score: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_blocks, "BLOCK_BYTES", 200)
        known = read_leads(json.dumps([lead(number) for number in old]).encode())
        before = dict(known.leads)
        text = json.dumps({"leads": [lead(number, score=score if number % 3 else 50) for number in new]})
        read, fresh = read_leads(text.encode(), known), read_leads(text.encode())
        assert (read.leads, sorted(read.odd)) == (fresh.leads, sorted(fresh.odd))
        if read.changed is not None:
            ids = before.keys() | read.leads.keys()
            assert read.changed == {id_ for id_ in ids if before.get(id_) != read.leads.get(id_)}


async def test_one_change_among_five_thousand_is_one_event(world: World) -> None:
    many = [lead(number) for number in range(5_000)]
    world.write(LEADS, {"leads": many})
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 5_000)
    before = len(world.records)
    many[2_345] = lead(2_345, score=51)
    world.replace(LEADS, {"leads": many})
    await world.until(lambda: len(world.records) > before)
    await world.silence()
    assert [record.type for record in world.records[before:]] == ["lead:scored"]


async def test_the_scored_file_is_laid_over_the_plain_one(world: World) -> None:
    world.write(LEADS, [lead(1), lead(2)])
    breakdown = {"fit": {"score": 9, "weight": 0.5}}
    scoring = {"leadId": "lead_001", "company": "company  1", "totalScore": 91, "breakdown": breakdown}
    world.write(SCORED, {"scoredLeads": [scoring, {"leadId": "lead_009", "totalScore": 12}]})
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 3)
    found = await leads(world)
    assert (found["lead_001"]["company"], found["lead_001"]["score"]) == ("Company 1", 91)
    assert found["lead_009"]["score"] == 12
    world.write(SCORED, {"scoredLeads": [{**scoring, "totalScore": 95}]})
    await world.until(lambda: world.told("lead:scored"))
    (scored,) = world.told("lead:scored")
    assert (scored["score"], scored["previousScore"], scored["factors"]) == (95, 91, breakdown)
    await world.until(lambda: world.told("lead:removed") == [{"leadId": "lead_009"}])


async def test_a_lead_that_is_scored_first_is_told_with_its_factors(world: World) -> None:
    unscored = {name: value for name, value in lead(1).items() if name != "score"}
    world.write(LEADS, [unscored])
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 1)
    scoring = {"leadId": "lead_001", "company": "Company 1", "contactName": "Ann", "totalScore": 70}
    world.write(SCORED, {"scoredLeads": [{**scoring, "breakdown": {"fit": 7}}]})
    await world.until(lambda: world.told("lead:scored"))
    (scored,) = world.told("lead:scored")
    assert (scored["score"], scored["factors"], scored["previousScore"]) == (70, {"fit": 7}, None)
    assert not world.told("lead:updated")
    assert (await leads(world))["lead_001"]["contactName"] == "Ann"


@pytest.mark.parametrize(
    "scored",
    [{"company": "Another company"}, {"contactName": "Ann"}, {}, {"company": ""}, {"company": 7}],
    ids=["another company", "nothing in common", "nothing", "an empty company", "no text"],
)
async def test_leads_of_both_files_with_one_id_are_two_where_nothing_else_agrees(
    world: World, scored: dict[str, Any]
) -> None:
    world.write(LEADS, [lead(1)])
    world.write(SCORED, [{"leadId": "lead_001", "totalScore": 91, **scored}])
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 2)
    found = await leads(world)
    assert found["lead_001"] == lead(1)
    own = found["lead_001 (scored)"]
    assert (own["leadId"], own["score"]) == ("lead_001", 91)
    world.write(SCORED, [{"leadId": "lead_001", "totalScore": 95, **scored}])
    await world.until(lambda: world.told("lead:scored"))
    assert world.told("lead:scored")[0]["leadId"] == "lead_001 (scored)"
    assert (await leads(world))["lead_001"] == lead(1)


async def test_a_name_joins_leads_where_one_has_no_company(world: World) -> None:
    world.write(LEADS, [{"id": "lead_001", "name": "Ann Lee"}])
    world.write(
        SCORED, [{"leadId": "lead_001", "contactName": "ann lee", "totalScore": 91, "company": "Acme"}]
    )
    await world.start()
    await world.until(lambda: world.folded.table("leads"))
    assert (await leads(world))["lead_001"]["score"] == 91
    assert len(await leads(world)) == 1


async def test_a_broken_file_is_told_once_and_loses_nothing(world: World) -> None:
    world.write(LEADS, [lead(1)])
    await world.start()
    await world.until(lambda: world.folded.table("leads"))
    world.write(LEADS, b'[{"id": "lead_001", ')
    path = world.root / LEADS
    os.utime(path, (1, 1))
    await world.until(lambda: world.alerts())
    await world.silence()
    assert len(world.alerts()) == 1
    assert list(await leads(world)) == ["lead_001"]
    await world.restart()
    await world.silence()
    assert len(world.alerts()) == 1
    assert not world.told("lead:removed")
    world.write(LEADS, [lead(1), lead(2)])
    await world.until(lambda: len(world.folded.table("leads")) == 2)


async def test_what_is_no_lead_is_left_out_and_told_once(world: World) -> None:
    world.write(LEADS, [lead(1), {}, "text", lead(1)])
    await world.start()
    await world.until(lambda: world.alerts())
    (alert,) = world.alerts()
    assert "entry 2 is empty" in alert
    assert "entry 3 is no object" in alert
    assert "lead_001 occurs twice" in alert
    assert list(await leads(world)) == ["lead_001"]


async def test_a_lead_with_a_number_as_its_id_is_told_while_the_server_runs(world: World) -> None:
    world.write(LEADS, [lead(1)])
    await world.start()
    await world.until(lambda: world.folded.table("leads"))
    world.write(
        SCORED, [{"leadId": 7, "company": "Seven", "totalScore": 5}, {"leadId": [], "company": "List"}]
    )
    await world.until(lambda: len(world.folded.table("leads")) == 3)
    found = await leads(world)
    assert (found["7"]["leadId"], found["7"]["asInFile"]) == ("7", {"leadId": 7})
    assert (found["list"]["leadId"], found["list"]["asInFile"]) == (None, {"leadId": []})
    world.write(SCORED, [{"leadId": 7, "company": "Seven", "totalScore": 6}])
    await world.until(lambda: world.told("lead:scored") and world.told("lead:removed"))
    assert not world.alerts()


async def test_leads_without_an_id_and_with_that_of_another_company_have_one_of_their_own(
    world: World,
) -> None:
    entries = [
        lead(1),
        {"company": "No  Id", "contactName": "Ann"},
        {"company": "no id", "contactName": "Bob"},
        {"email": "x@example.com"},
        {"id": "lead_001", "company": "Another"},
        {"id": "lead_001", "company": "A third"},
    ]
    world.write(LEADS, entries)
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 6)
    ids = {"lead_001", "lead_001 (a third)", "lead_001 (another)", "no id, ann", "no id, bob"}
    found = await leads(world)
    assert ids < found.keys()
    assert found["lead_001 (another)"]["company"] == "Another"
    (nameless,) = found.keys() - ids
    # They keep it wherever they stand, and when others change.
    world.write(LEADS, [entries[0], *reversed(entries[1:])])
    await world.silence()
    assert not world.told("lead:added")
    world.write(SCORED, [{"company": "No Id", "contactName": "Ann", "totalScore": 80}])
    await world.until(lambda: world.told("lead:scored"))
    assert world.told("lead:scored")[0]["leadId"] == "no id, ann"
    world.write(LEADS, [*entries[1:4], entries[5], entries[0]])
    await world.until(lambda: world.told("lead:removed"))
    assert nameless in await leads(world)
    assert not world.alerts()


async def test_where_the_first_file_goes_the_one_in_the_other_place_is_read(world: World) -> None:
    world.write(LEADS, [lead(1)])
    world.write(OTHER_LEADS, [lead(2)])
    world.write(SCORED, [{"leadId": "lead_002", "company": "Company 2", "totalScore": 77}])
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 2)
    (world.root / LEADS).unlink()
    await world.until(lambda: world.told("lead:removed") == [{"leadId": "lead_001"}])
    await world.until(lambda: world.folded.table("leads").get("lead_002", {}).get("id") == "lead_002")
    assert (await leads(world))["lead_002"]["score"] == 77
    await world.restart()
    await world.silence()
    assert list(await leads(world)) == ["lead_002"]
    world.write(LEADS, [lead(1)])
    await world.until(lambda: "lead_001" in world.folded.table("leads"))
    assert (await leads(world)).keys() == {"lead_001", "lead_002"}


async def test_what_changed_while_nobody_watched_is_told_at_the_next_start(world: World) -> None:
    world.write(LEADS, [lead(1), lead(2)])
    await world.start()
    await world.until(lambda: len(world.folded.table("leads")) == 2)
    await world.stop()
    world.write(LEADS, [lead(2, score=1), lead(3)])
    await world.start()
    await world.until(lambda: world.told("lead:removed"))
    told = {record.type: record.data for record in world.records[-3:]}
    assert told.keys() == {"lead:scored", "lead:added", "lead:removed"}
    assert all(data["foundAtStart"] for data in told.values())


async def test_a_lead_that_somebody_else_has_told_stays(world: World) -> None:
    from missioncontrol.events import Draft

    world.write(LEADS, [lead(1)])
    await world.start()
    await world.until(lambda: world.folded.table("leads"))
    await world.log.append([Draft("lead:added", {"lead": {"id": "other"}})])
    world.write(LEADS, [lead(1, score=2)])
    await world.until(lambda: world.told("lead:scored"))
    assert set(await leads(world)) == {"lead_001", "other"}


async def test_a_file_that_is_replaced_is_never_missing(world: World) -> None:
    world.write(LEADS, [lead(1)])
    await world.start()
    await world.until(lambda: world.folded.table("leads"))
    for score in range(20):
        (world.root / LEADS).unlink()
        world.write(LEADS, [lead(1, score=score)])
    await world.until(lambda: world.folded.table("leads")["lead_001"]["score"] == 19)
    assert not world.told("lead:removed")


async def test_a_file_of_200_megabytes_is_refused_with_one_alert(world: World) -> None:
    world.write(LEADS, [lead(1)])
    await world.start()
    await world.until(lambda: world.folded.table("leads"))
    with (world.root / LEADS).open("r+b") as file:
        file.truncate(200 * 1024 * 1024)
    await world.until(lambda: world.alerts())
    await world.silence()
    (alert,) = world.alerts()
    assert "larger than" in alert
    assert list(await leads(world)) == ["lead_001"]


async def test_a_lead_with_an_id_that_is_too_long_is_left_out_and_named_once(world: World) -> None:
    long = {"id": "x" * 600, "company": "Long"}
    world.write(LEADS, [lead(1), long])
    await world.start()
    await world.until(lambda: world.alerts())
    world.replace(LEADS, json.dumps([lead(1), lead(2), long]))
    await world.until(lambda: "lead_002" in world.folded.table("leads"))
    await world.restart()
    world.replace(LEADS, json.dumps([lead(1), lead(2), lead(3), long]))
    await world.until(lambda: "lead_003" in world.folded.table("leads"))
    assert list(await leads(world)) == ["lead_001", "lead_002", "lead_003"]
    assert [alert for alert in world.alerts() if "has an id of 600 characters" in alert] == world.alerts()


async def test_a_lead_with_a_long_id_of_an_earlier_release_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(LEADS, [lead(1), {"id": "x" * 600}])
    with monkeypatch.context() as earlier:
        for module in ("fleet.lead_file", "events.shapes"):
            earlier.setattr(f"missioncontrol.{module}.MAX_ID_LENGTH", 2_048)
        await world.start()
        await world.until(lambda: len(world.folded.table("leads")) == 2)
        await world.stop()
    await world.start()
    await world.until(lambda: world.told("lead:removed"))
    assert list(await leads(world)) == ["lead_001"]
