"""Host resources are counted from the start of a run, and are None where the host does not report them."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path

import pytest

from kilohertz.rt.host.footprint import FootprintMeter, StealMeter

pytestmark = pytest.mark.host

PROC_STAT = "cpu  3699 0 2013 137906 241 0 39 {steal} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"


def test_stolen_time_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    path.write_text(PROC_STAT.format(steal=100))
    steal = StealMeter(str(path))
    first = steal.read_s()
    path.write_text(PROC_STAT.format(steal=400))
    second = steal.read_s()
    steal.close()
    assert first is not None
    assert second == pytest.approx(4 * first)
    assert steal.read_s() is None


@pytest.mark.parametrize("text", ["", "cpu  1 2 3 4\n"])
def test_a_kernel_that_does_not_count_stolen_time_gives_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stat"
    path.write_text(text)
    steal = StealMeter(str(path))
    assert steal.read_s() is None
    steal.close()


def test_without_the_file_stolen_time_is_none(tmp_path: Path) -> None:
    assert StealMeter(str(tmp_path / "absent")).read_s() is None


@pytest.fixture
def meter(tmp_path: Path) -> FootprintMeter:
    return FootprintMeter(StealMeter(str(tmp_path / "absent")))


def test_new_pages_and_blocks_are_counted_from_the_start(meter: FootprintMeter) -> None:
    with meter:
        meter.start()
        kept = [bytearray(600) for _ in range(500)]
        pages = mmap.mmap(-1, 64 * mmap.PAGESIZE)
        pages.write(b"\1" * len(pages))
        footprint = meter.read()
    pages.close()
    assert footprint.block_growth >= len(kept)
    assert footprint.minor_faults >= 1
    assert footprint.rss_growth_bytes is not None
    assert footprint.steal_s is None


@pytest.mark.long
def test_only_full_collections_after_the_start_count(meter: FootprintMeter) -> None:
    with meter:
        gc.collect()
        meter.start()
        gc.collect(0)
        gc.collect()
        assert meter.read().full_collections == 1
    gc.collect()
    assert meter.read().full_collections == 1


def test_a_meter_that_was_not_started_shows_no_change(meter: FootprintMeter) -> None:
    footprint = meter.read()
    assert (footprint.minor_faults, footprint.block_growth, footprint.full_collections) == (0, 0, 0)
