"""Who lives in the simulated fleet."""

from __future__ import annotations

from typing import NamedTuple


class Profile(NamedTuple):
    """Who an agent is, what it writes, and what it may be asked to do."""

    id: str
    name: str
    role: str
    codename: str
    division: str
    specialties: tuple[str, ...]
    file: str
    work: tuple[str, ...]


FLEET = (
    Profile(
        "nexus",
        "Nexus",
        "Coordinator",
        "The Switchboard",
        "Command",
        ("planning", "delegation", "conflict settling"),
        "plans/plan-{n:03}.md",
        (
            "Plan the week",
            "Settle who owns the importer",
            "Review yesterday's results",
            "Reorder the backlog",
        ),
    ),
    Profile(
        "scout",
        "Scout",
        "Researcher",
        "The Far Eye",
        "Intelligence",
        ("market research", "source checking", "trend spotting"),
        "reports/finding-{n:03}.md",
        ("Map the competitors' pricing", "Check three new data sources", "Summarise the week's news"),
    ),
    Profile(
        "forge",
        "Forge",
        "Builder",
        "The Smith",
        "Engineering",
        ("Python", "interfaces", "refactoring"),
        "code/module_{n:03}.py",
        ("Build the importer", "Split the billing module", "Write the retry logic", "Speed up the parser"),
    ),
    Profile(
        "sentry",
        "Sentry",
        "Watch officer",
        "The Night Light",
        "Operations",
        ("monitoring", "incident response", "capacity"),
        "logs/watch-{n:03}.log",
        ("Walk the health checks", "Rotate the keys", "Look into slow answers"),
    ),
    Profile(
        "quill",
        "Quill",
        "Writer",
        "The Plain Hand",
        "Communications",
        ("documentation", "newsletters", "editing"),
        "drafts/draft-{n:03}.md",
        ("Draft the release notes", "Rewrite the start page", "Edit the case study"),
    ),
    Profile(
        "pixel",
        "Pixel",
        "Designer",
        "The Grid",
        "Product",
        ("layout", "icons", "accessibility"),
        "design/screen-{n:03}.svg",
        ("Redraw the status icons", "Lay out the mobile view", "Check the contrast everywhere"),
    ),
    Profile(
        "audit",
        "Audit",
        "Reviewer",
        "The Second Look",
        "Engineering",
        ("code review", "test design", "licences"),
        "reviews/review-{n:03}.md",
        ("Review the importer", "Find what no test covers", "Check the licences"),
    ),
    Profile(
        "cipher",
        "Cipher",
        "Security analyst",
        "The Quiet Lock",
        "Operations",
        ("threat models", "secrets", "access"),
        "notes/threat-{n:03}.md",
        ("Model threats to the gateway", "Look for secrets in logs", "Review who may do what"),
    ),
    Profile(
        "atlas",
        "Atlas",
        "Data engineer",
        "The Cartographer",
        "Data",
        ("pipelines", "schemas", "quality checks"),
        "data/batch-{n:03}.json",
        ("Clean the contact list", "Load the March figures", "Draw the table lineage"),
    ),
    Profile(
        "ledger",
        "Ledger",
        "Accountant",
        "The Fine Pencil",
        "Finance",
        ("budgets", "forecasts", "invoices"),
        "sheets/forecast-{n:03}.csv",
        ("Forecast the token spend", "Match the invoices", "Find the costliest prompts"),
    ),
    Profile(
        "herald",
        "Herald",
        "Outreach",
        "The Open Door",
        "Growth",
        ("first contacts", "follow-ups", "meeting notes"),
        "outreach/letter-{n:03}.txt",
        ("Write to five new leads", "Follow up on last week", "Prepare the call on Thursday"),
    ),
    Profile(
        "echo",
        "Echo",
        "Support",
        "The Patient Ear",
        "Growth",
        ("tickets", "summaries", "known problems"),
        "answers/ticket-{n:03}.md",
        ("Answer the open tickets", "Group the complaints", "Update the known problems"),
    ),
)

REMARKS = (
    "Looked at what was there before.",
    "Two sources agree, one does not.",
    "Left out what could not be checked.",
    "Simpler than expected; kept it that way.",
    "Needs another pair of eyes.",
    "Measured first, then changed.",
    "The old way is still in use in one place.",
    "Asked for the missing figures.",
    "Done, and written down why.",
)


def write_soul(profile: Profile) -> str:
    """Write an agent's `SOUL.md`."""
    specialties = "\n".join(f"- {specialty}" for specialty in profile.specialties)
    return f"""# SOUL.md

**Name:** {profile.name}
**Role:** {profile.role}
**Codename:** "{profile.codename}"
**Division:** {profile.division}

**Specialties:**
{specialties}

This agent is simulated.
"""
