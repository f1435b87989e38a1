"""Keys and sticks ask for velocities whose signs and sizes are those that are documented."""

from __future__ import annotations

import pytest

from kilohertz.rt.drive.speeds import BACKWARD, LEFT, STILL, TURN_RAD_M, of_fractions, of_keys

SPEED_M_S = 0.4


@pytest.mark.parametrize(
    ("held", "velocity"),
    [
        ("", STILL),
        ("w", (0.4, 0.0, 0.0)),
        ("s", (-0.4 * BACKWARD, 0.0, 0.0)),
        ("a", (0.0, 0.4 * LEFT, 0.0)),
        ("d", (0.0, -0.4 * LEFT, 0.0)),
        ("q", (0.0, 0.0, 0.4 * TURN_RAD_M)),
        ("e", (0.0, 0.0, -0.4 * TURN_RAD_M)),
        ("wq", (0.4, 0.0, 0.4 * TURN_RAD_M)),
        ("wsad", STILL),
        ("x1 ", STILL),
    ],
)
def test_keys(held: str, velocity: tuple[float, float, float]) -> None:
    assert of_keys(frozenset(held), SPEED_M_S) == pytest.approx(velocity)


def test_arrows_are_keys_and_add_nothing_to_the_same_letter() -> None:
    assert of_keys(frozenset({"up"}), SPEED_M_S) == of_keys(frozenset("w"), SPEED_M_S)
    assert of_keys(frozenset({"up", "w"}), SPEED_M_S) == of_keys(frozenset("w"), SPEED_M_S)
    assert of_keys(frozenset({"left"}), SPEED_M_S) == of_keys(frozenset("q"), SPEED_M_S)
    assert of_keys(frozenset({"right", "down"}), SPEED_M_S) == of_keys(frozenset("es"), SPEED_M_S)


def test_a_stick_asks_for_fractions() -> None:
    assert of_fractions(0.5, -1.0, 0.2, SPEED_M_S) == pytest.approx(
        (0.2, -0.4 * LEFT, 0.2 * 0.4 * TURN_RAD_M)
    )
