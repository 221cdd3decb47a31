"""Marks: nothing that is shown is unseen, piles up, or grows into a cluster that no line can hold."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.review import in_order, mark
from missioncontrol.review.marks import has_right_to_left, marks_in

LONGEST = 16
"""How many code points a cluster may have: four letters that are joined, each with three signs."""

LONGEST_CLUSTERS = """
const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
let text = "";
process.stdin.setEncoding("utf8").on("data", (data) => { text += data; }).on("end", () => {
  const lengths = JSON.parse(text).map((one) =>
    Math.max(0, ...[...segmenter.segment(one)].map(({ segment }) => [...segment].length)));
  console.log(JSON.stringify(lengths));
});
"""


def longest_clusters(texts: list[str]) -> list[int]:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, "-e", LONGEST_CLUSTERS],
        input=json.dumps(texts),
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    lengths: list[int] = json.loads(done.stdout)
    return lengths


@pytest.mark.parametrize(
    "text",
    [
        "n\u0303 a\u0302\u0301",
        "\u1112\u1161\u11ab\u1100\u1173\u11af",
        "हिन्दी क्ष",
        "தமிழ்",
        "ខ្មែរ",
        "မြန်မာ",
        "ภาษาไทย น้ำ",
        "\u05e7\u05b8\u05de\u05b8\u05e5 \u0623\u064e\u0647\u0652\u0644\u064b\u0627",
        "👍🏽 ⚠️ 🇩🇪",
        "ｶﾞ",
    ],
)
def test_what_writing_combines_is_left_as_it_is(text: str) -> None:
    assert mark(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A\u0336\u20e5\u0301", "A\u0336\u20e5⟦U+0301⟧"),
        ("A\u0488", "A⟦U+0488⟧"),
        ("1\u20e3", "1⟦U+20E3⟧"),
        ("A\u0301\u0301\u0301\u0301", "A\u0301\u0301⟦U+0301⟧⟦U+0301⟧"),
        ("\u1100" * 4, "\u1100⟦U+1100⟧⟦U+1100⟧⟦U+1100⟧"),
        ("\u1100" + "\u1161" * 5, "\u1100\u1161\u1161\u1161⟦U+1161⟧⟦U+1161⟧"),
        ("\u0e01" + "\u0e33" * 4, "\u0e01\u0e33\u0e33\u0e33⟦U+0E33⟧"),
        ("👍🏽🏽", "👍🏽⟦U+1F3FD⟧"),
        ("a🏽", "a⟦U+1F3FD⟧"),
        # A sign in front of a text may change what stands before the text.
        ("\u0338 =\u0338 \u0338", "⟦U+0338⟧ =⟦U+0338⟧ ⟦U+0338⟧"),
        ("\n\u0301", "\n⟦U+0301⟧"),
        ("\u200b\u0301", "⟦U+200B⟧⟦U+0301⟧"),
        # Signs of one script do nothing on the letters of another.
        ("a\u1039b", "a⟦U+1039⟧b"),
        ("a\u17d2b", "a⟦U+17D2⟧b"),
        ("\u1780\u17d2 b", "\u1780⟦U+17D2⟧ b"),
        ("a\u064bb", "a⟦U+064B⟧b"),
        ("a\ufffcb", "a⟦U+FFFC⟧b"),
        ("a\u2d7fb", "a⟦U+2D7F⟧b"),
        ("a\U00016fe4b", "a⟦U+16FE4⟧b"),
        ("\u0d4e\u0d4e", "⟦U+0D4E⟧⟦U+0D4E⟧"),
    ],
)
def test_what_piles_up_or_joins_nothing_is_a_mark(text: str, shown: str) -> None:
    assert mark(text) == shown


def test_no_character_makes_a_long_cluster_however_often_it_comes() -> None:
    unusual = [
        chr(code)
        for code in range(0xA0, 0x20000)
        if category(chr(code)) not in ("Cn", "Co", "Cs") and not 0x3400 <= code < 0xA000
    ]
    # Those that combine all of them, of the others a few.
    chosen = [
        one
        for at, one in enumerate(unusual)
        if category(one)[0] == "M" or category(one) == "Sk" or at % 20 == 0
    ]
    chosen += [chr(code) for code in (*range(0x1100, 0x1200), *range(0xA960, 0xA97D), *range(0xD7B0, 0xD7FC))]
    assert (
        max(longest_clusters([mark(before + one * 30) for one in chosen for before in ("", "a")])) <= LONGEST
    )


def test_no_mixture_of_characters_makes_a_long_cluster() -> None:
    chance = random.Random(20261130)
    joining = [chr(code) for code in range(0x300, 0x20000) if category(chr(code))[0] == "M"]
    joining += [chr(code) for code in (*range(0x1100, 0x1200), *range(0x1F3FB, 0x1F400), 0x200D, 0xFE0F)]
    letters = [
        chr(code) for code in (*range(0x905, 0x93A), *range(0x1780, 0x17B4), *range(0xAC00, 0xAC20), 0x41)
    ]
    texts = []
    for _ in range(4_000):
        pool = [*chance.sample(joining, 3), *chance.sample(letters, 2), "\u094d", "\u0915", "🚀"]
        texts.append(mark("".join(chance.choice(pool) for _ in range(60))))
    assert max(longest_clusters(texts)) <= LONGEST


@given(st.text(max_size=40), st.text(max_size=40))
def test_texts_that_differ_are_different_when_they_are_marked(one: str, other: str) -> None:
    assert (mark(one) == mark(other)) == (one == other)
    assert (mark(one, line=True) == mark(other, line=True)) == (one == other)


def test_what_is_written_from_right_to_left_is_code_points_where_the_order_is_not_ours() -> None:
    assert in_order("cat א 1 > 2 \u05d1\u05b8\u05d2") == "cat ⟦U+05D0⟧ 1 > 2 ⟦U+05D1 U+05B8 U+05D2⟧"
    assert in_order("\u0661 > \u0662") == "⟦U+0661⟧ > ⟦U+0662⟧"
    assert in_order("Überprüfe 名前 🚀") == "Überprüfe 名前 🚀"


@given(st.text(max_size=60))
def test_nothing_from_right_to_left_is_left_in_order(text: str) -> None:
    shown = in_order(mark(text))
    assert not has_right_to_left(shown)
    assert len(marks_in(shown)) >= len(marks_in(mark(text))) - 1


def test_marks_do_not_depend_on_what_python_knows_of_newer_characters() -> None:
    assert sys.version_info >= (3, 11)
    # Not yet a character in any release of Unicode.
    assert mark("a\U0002fffeb") == "a⟦U+2FFFE⟧b"
