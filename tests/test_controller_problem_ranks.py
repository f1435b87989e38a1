"""Ranks and weights of the rows are such that safety gives last, and ground and motors never give."""

import math

from kilohertz.controller.problem.ranks import BLOCKS, COMFORT, RANKS, SAFETY, WEIGHT


def test_every_block_has_a_known_rank_and_comfort_gives_first():
    assert {block.rank for block in BLOCKS.values()} == set(RANKS)
    assert (RANKS[COMFORT], RANKS[SAFETY]) == ("comfort", "safety")


def test_safety_weighs_more_than_any_comfort():
    safety = [block.weight for block in BLOCKS.values() if block.rank == "safety"]
    comfort = [block.weight for block in BLOCKS.values() if block.rank == "comfort"]
    assert min(safety) >= 1e3 * max(comfort)
    assert set(WEIGHT) == set(RANKS)


def test_ground_and_motors_never_give():
    assert {name for name, block in BLOCKS.items() if math.isinf(block.weight)} == {"cone", "torque_limit"}
