"""Whatever people type is an answer and never an exception."""

from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.profiles.exchange import ProfileFile, WrongFile, read_file
from clusters.profiles.packs import find_pack
from clusters.profiles.values import check_values, merged_values, variables_used
from clusters.profiles.variables import Variable

PIECES = [
    "a",
    "addresses",
    "autoAssign",
    ":",
    " ",
    "\n",
    "  ",
    "- ",
    "{{.spectro.var.X}}",
    "{{",
    "}}",
    "{",
    "}",
]
PIECES += [
    "[",
    "]",
    ",",
    "?",
    "|",
    ">",
    "'",
    '"',
    "#",
    "&a",
    "*a",
    "!!int",
    "---",
    "...",
    "%",
    "\t",
    "null",
    "1",
]
TEXTS = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
METALLB = find_pack("metallb", "0.15.3")


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, value=st.none() | st.text(max_size=10))
def test_values_are_checked_and_filled_in_or_refused(text, value):
    given_values = None if value is None else {"X": value}
    lines = text.count("\n") + 2

    problems = check_values(METALLB, text, [Variable("X")], given_values)

    assert all(1 <= problem.line <= lines and problem.message for problem in problems)
    if not problems:
        assert merged_values(METALLB, text, variables=[Variable("X")], given=given_values)["addresses"]
    assert all(isinstance(name, str) for name in variables_used(text))


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_file_is_read_or_refused_with_lines(text):
    try:
        assert isinstance(read_file(text), ProfileFile)
    except WrongFile as wrong:
        assert all(problem.line >= 1 for problem in wrong.problems)
