"""The command of an ordinary tick carries the torque of the ladder, limited, and the measured positions."""

import numpy as np
import pytest
from bodies import robot, whole_body

from kilohertz.controller.gains.schema import GuardGains
from kilohertz.controller.safety.drive_command import bind_drives
from kilohertz.controller.safety.guard import Guard
from kilohertz.controller.safety.ladder import LAST_GOOD, SOFTENED, SOLVED

MODEL = robot("g1")
LIMIT = MODEL.torque_limit_Nm
DT_S = 1e-3


class Bench:
    """The command of a G1 whose ladder and friction say what a test says."""

    def __init__(self, friction_Nm):
        self.ladder, self.friction, self.tau = np.zeros(MODEL.na), friction_Nm, np.zeros(MODEL.na)
        self.command, self.guard = MODEL.new_command_row(), Guard(MODEL, GuardGains(), DT_S)
        self.kin = whole_body(MODEL).arrays.kin
        self.kin.q[:] = MODEL.q_nominal
        self.drive = bind_drives(
            self.ladder, self.friction, self.tau, self.command, self.kin, self.guard.arrays
        )


@pytest.mark.parametrize("friction_Nm", [np.zeros(0), np.full(MODEL.na, 0.5)])
@pytest.mark.parametrize("rung", [SOLVED, SOFTENED, LAST_GOOD])
def test_friction_is_compensated_only_on_top_of_a_solution(rung, friction_Nm):
    bench = Bench(friction_Nm)
    bench.ladder[:] = 0.1 * LIMIT
    bench.drive(rung, 2.5)
    compensates = bool(friction_Nm.size) and rung != LAST_GOOD
    np.testing.assert_array_equal(bench.tau, 0.1 * LIMIT + (0.5 if compensates else 0.0))
    np.testing.assert_array_equal(bench.command.tau_ff, bench.tau)


def test_the_torque_passes_the_guard_and_the_drives_get_no_gains():
    bench = Bench(np.zeros(0))
    expected, twin = 3.0 * LIMIT, Guard(MODEL, GuardGains(), DT_S)
    bench.ladder[:] = expected
    for gains in (bench.command.kp, bench.command.kd, bench.command.v_des):
        gains[:] = 7.0
    bench.drive(SOLVED, 2.5)
    twin.apply(expected, bench.kin.q[MODEL.nq_base :])
    np.testing.assert_array_equal(bench.command.tau_ff, expected)
    assert bench.guard.clipped == 1
    for gains in (bench.command.kp, bench.command.kd, bench.command.v_des):
        assert not gains.any()
    assert bench.command.t_s[0] == 2.5
    assert bench.command.seq[0] == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_that_are_not_finite_are_not_sent(bad):
    bench = Bench(np.zeros(0))
    bench.drive(SOLVED, 0.0)
    before = bench.command.q_des.copy()
    np.testing.assert_array_equal(before, MODEL.q_nominal[MODEL.nq_base :])
    bench.kin.q[MODEL.nq_base :] += 0.1
    bench.kin.q[-1] = bad
    bench.drive(SOLVED, 0.0)
    np.testing.assert_array_equal(bench.command.q_des, before)
