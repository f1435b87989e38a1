from __future__ import annotations

import contextlib
import re

import numpy as np
import pytest
from bodies import robot
from hypothesis import given
from hypothesis import strategies as st
from toy_log import ROW

from kilohertz.rt.log.row import row_type
from kilohertz.rt.log.schema import schema_text, type_of_schema


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("name", ["g1", "bolt", "panda"])
def test_the_row_of_a_robot_is_read_from_its_definition(name, live):
    row = row_type(robot(name), live=live)
    assert type_of_schema(schema_text(row)) == row
    assert ("gains" in row.names) == live


def test_a_row_has_no_padding_so_its_bytes_are_the_message():
    def leaves(row: np.dtype) -> int:
        if row.names:
            return sum(leaves(row[name]) for name in row.names)
        assert row.base.itemsize == 8
        return row.itemsize

    assert leaves(ROW) == ROW.itemsize


def test_a_definition_names_type_and_length_of_each_field():
    text = schema_text(ROW)
    assert text.startswith("int64 tick\n")
    assert "\nkilohertz/StampsNs stamps_ns" in text
    assert "MSG: kilohertz/Sensors\nfloat64[1] seq\nfloat64[2] q\nfloat64[1] contact_force_n # " in text


@pytest.mark.parametrize("live", [False, True])
def test_a_definition_is_valid_in_ros_2(live):
    for line in schema_text(row_type(robot("g1"), live=live)).split("\n"):
        if line.startswith(("=", "MSG: ")):
            continue
        field = line.partition("#")[0].split()
        assert re.fullmatch(r"(int64|float64)(\[[1-9]\d*\])?|kilohertz/[A-Z][A-Za-z0-9]*", field[0])
        assert re.fullmatch(r"(?!.*__)(?!.*_$)[a-z][a-z0-9_]*", field[1])


@given(st.text(alphabet="int64floa[]123 \n/=MSG:", max_size=60))
def test_other_definitions_are_refused_with_a_sentence(text):
    with contextlib.suppress(ValueError):
        assert type_of_schema(text).itemsize % 8 == 0
