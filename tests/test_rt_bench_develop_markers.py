"""A command rewrites its own table in a document and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.bench.develop.markers import between_markers, block_of, markers

COMMAND = "khz bench readme"
BEGIN, END = markers(COMMAND)


@given(st.text(), st.text(), st.text())
def test_only_what_is_between_the_markers_changes(before, old, after):
    text = f"{before}{BEGIN}{old}{END}{after}"
    if text.count(BEGIN) == text.count(END) == 1:
        once = between_markers(text, COMMAND, "| new |")
        assert once == f"{before}{BEGIN}\n| new |\n{END}{after}"
        assert between_markers(once, COMMAND, "| new |") == once
        assert block_of(once, COMMAND) == "| new |"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_text_without_its_markers_is_refused(text):
    with pytest.raises(ValueError, match="begin: khz bench"):
        between_markers(text, COMMAND, "x")


def test_another_commands_table_is_left_alone():
    begin, end = markers("khz faults run --into")
    other = f"{begin}\nold\n{end}\n"
    assert between_markers(f"{other}{BEGIN}\n{END}", COMMAND, "new").startswith(other)
