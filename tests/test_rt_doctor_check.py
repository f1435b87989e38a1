"""Lists and masks of cores are read and written as the kernel does, and what is absent is None."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.doctor.check import HostFiles, Status, cpu_list, cpu_mask, judge, other_cores
from kilohertz.rt.host.realtime import parse_cpu_list

cores = st.sets(st.integers(0, 130), min_size=1)


@given(cores)
def test_a_list_reads_back(expected: set[int]) -> None:
    assert parse_cpu_list(cpu_list(expected)) == expected


@given(cores)
def test_a_mask_reads_back(expected: set[int]) -> None:
    bits = int(cpu_mask(expected).replace(",", ""), 16)
    assert {core for core in range(bits.bit_length()) if bits >> core & 1} == expected


def test_they_look_like_the_kernels_own() -> None:
    assert cpu_list({0, 2, 3, 4, 9}) == "0,2-4,9"
    assert cpu_list(set()) == ""
    assert cpu_mask({0, 1}) == "3"
    assert cpu_mask({0, 33}) == "2,00000001"


def test_what_is_absent_or_nonsense_is_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a number\n")
    files = HostFiles(tmp_path)
    assert files.text("/absent") is None
    assert files.number("/absent") is None
    assert files.number("/text") is None
    assert files.mask("/text") is None
    assert files.cores("/absent") is None
    assert files.names("/absent") == []
    assert files.command_line() == {}


def test_masks_and_boot_parameters_are_read(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text("quiet nohz_full=1 isolcpus=managed_irq,domain,1\n")
    (tmp_path / "mask").write_text("2,00000001\n")
    files = HostFiles(tmp_path)
    assert files.command_line() == {"quiet": "", "nohz_full": "1", "isolcpus": "managed_irq,domain,1"}
    assert files.mask("/mask") == {0, 33}


def test_names_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "self"):
        (tmp_path / name).mkdir()
    assert HostFiles(tmp_path).names("/") == ["self", "9", "10"]


def test_on_a_host_of_one_core_all_stays_there(tmp_path: Path) -> None:
    assert other_cores(HostFiles(tmp_path), 0) == {0}


@pytest.mark.parametrize(
    ("good", "fatal", "status", "remedy"),
    [
        (True, True, Status.OK, ""),
        (False, False, Status.WARN, "do this"),
        (False, True, Status.FAIL, "do this"),
        (None, True, Status.UNKNOWN, "do this"),
    ],
)
def test_only_what_is_not_good_has_a_remedy(
    good: bool | None, fatal: bool, status: Status, remedy: str
) -> None:
    check = judge(1, "name", good, "figure", "do this", fatal=fatal)
    assert (check.status, check.remedy) == (status, remedy)
