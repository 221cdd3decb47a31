"""SOUL.md in the forms in which people and agents write it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.fleet.soul import MAX_SPECIALTIES, MAX_TEXT, parse_soul

WHOLE = {
    "name": "Scout",
    "role": "Researcher - markets",
    "codename": "The Eye",
    "division": "Intelligence",
    "specialties": ["research", "monitoring"],
}
FORMS = {
    "as the convention has it": """# SOUL.md

**Name:** Scout
**Role:** Researcher - markets
**Codename:** "The Eye"
**Division:** Intelligence

**Specialties:**
- research
- monitoring

## Style
- brief
""",
    "a list with the colon outside": """
- **Name**: Scout
- **Role**: Researcher - markets
- **Codename**: “The Eye”
- **Division**: Intelligence
- **Specialties**: research, monitoring
""",
    "plain": """name: Scout
role: Researcher - markets
codename: 'The Eye'
division: Intelligence
specialties:
  * research
  * monitoring
""",
    "headings": """# Who I am
## Name
Scout
## Role ##

Researcher - markets
### Codename:
*The Eye*
## Division
Intelligence
## Specialties

1. research
2) monitoring

That is all.
- not this
""",
    "a table": """| Field | Value |
|---|---|
| **Name** | Scout |
| Role | Researcher - markets |
| Codename | "The Eye" |
| Division | Intelligence |
| Specialties | research; monitoring |
""",
    "everything inside the emphasis": """**Name: Scout**
__Role: Researcher - markets__
**Codename: The Eye**
> **Division:** Intelligence
**Specialties:**

• research
• **monitoring**
""",
    "after comments and code": """<!-- Name: Nobody -->
```yaml
Name: Nobody
```
Name: Scout
Name: Somebody else
Role: Researcher - markets
Code name: The Eye
Division: Intelligence
Specialties: research / monitoring
""",
}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same(form: str, ending: str) -> None:
    text = FORMS[form].replace("\n", ending)
    assert parse_soul(text.encode()) == WHOLE
    assert parse_soul(b"\xef\xbb\xbf" + text.encode()) == WHOLE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", {}),
        ("Just prose: with a colon.\n**Roles:** many", {}),
        ("**Name:**\n**Role:** Writer", {"role": "Writer"}),
        ("**Name:**\n\n**Name:** Quill", {"name": "Quill"}),
        ("**Specialties:**\n\n## Next\n- no", {}),
        ("**Name:** " + "x" * 1000, {"name": "x" * MAX_TEXT}),
        ("**Specialties:** CI/CD, A/B tests", {"specialties": ["CI/CD", "A/B tests"]}),
        ("**Name:** Zoë 🌙", {"name": "Zoë 🌙"}),
        ("<!-- open\nName: X", {}),
    ],
)
def test_what_is_missing_is_not_told(text: str, told: dict[str, Any]) -> None:
    assert parse_soul(text.encode()) == told


def test_a_long_list_of_specialties_is_cut() -> None:
    text = "**Specialties:**\n" + "".join(f"- number {number}\n" for number in range(500))
    assert len(parse_soul(text.encode())["specialties"]) == MAX_SPECIALTIES


@given(st.text(alphabet=st.sampled_from("Name:Role*#|- \n\"'`<>!_1.)Specialties,/")))
def test_any_text_is_read_without_complaint(text: str) -> None:
    told = parse_soul(text.encode())
    assert all(told.values())


@pytest.mark.parametrize("filler", [" ", "|", "*", "# ", "> ", "a", "Name", "- ", "`", ",", "<!--"])
def test_a_megabyte_of_anything_is_read_quickly(filler: str) -> None:
    started = perf_counter()
    for text in (filler * (1_000_000 // len(filler)), f"Specialties: {filler * 100_000}"):
        parse_soul(text.encode())
        parse_soul("\n".join(text[start : start + 1900] for start in range(0, 1_000_000, 1900)).encode())
    assert perf_counter() - started < 3


def test_a_template_of_openclaw_that_nobody_has_filled_in_says_nothing() -> None:
    template = b"""# IDENTITY.md - Who Am I?

_Fill this in during your first conversation. Make it yours._

- **Name:**
  _(pick something you like)_
- **Creature:**
  _(AI? robot? familiar? ghost in the machine? something weirder?)_
- **Role:** _(what you do)_
- **Emoji:**
  _(your signature \xe2\x80\x94 pick one that feels right)_
"""
    assert parse_soul(template) == {}


def test_an_identity_names_the_agent_whatever_else_it_has() -> None:
    assert parse_soul(b"# IDENTITY.md\n\n- **Name:** Lens\n- **Creature:** fox\n- **Emoji:** :fox:\n") == {
        "name": "Lens"
    }
    assert parse_soul(b"- **Name:**\n- **Creature:** fox\n") == {}
    assert parse_soul(b"## Name\n\nLens\n\n**Role:**\n**Vibe:** calm\n") == {"name": "Lens"}
