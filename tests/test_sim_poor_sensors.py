"""A G1 stands and walks on sensors with the flaws of real ones, and no watch stops it."""

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.sim.scenario_schema import DEFAULT_NOISE

pytestmark = pytest.mark.closed_loop

COARSE = {
    "noise": DEFAULT_NOISE.model_copy(update={"encoder_step_rad": 2e-4}).model_dump(),
    "encoder_rate_Hz": 250.0,
    "velocity_from": "encoder",
}
FLAWS = {
    "noisy": {"noise_scale": 5.0},
    "coarse encoders": COARSE,
    "slow IMU": {"imu_rate_Hz": 200.0},
    "everything": {
        **COARSE,
        "imu_rate_Hz": 200.0,
        "imu_rpy_rad": [0.01, 0.01, 0.01],
        "gyro_range_rad_s": 4.4,
        "accel_range_m_s2": 40.0,
        "drop_fraction": 0.05,
        "jitter_ms": 0.5,
    },
}


@pytest.mark.long
@pytest.mark.parametrize("flaw", FLAWS)
def test_a_g1_stands_and_then_walks_as_fast_as_it_is_asked_to(flaw: str) -> None:
    run = WalkingRun("g1", seed=3, sensors=FLAWS[flaw])
    off_m: list[float] = []

    def measure() -> None:
        truth = run.sim.truth
        off_m.append(float(np.hypot(*(truth.p_WC[:2] - truth.p_WF[:, :2].mean(axis=0)))))

    run.run(2.0, run.request("stand"), measure)
    assert run.stands, run.brain.output.reason
    assert off_m[-1] < 0.05
    walk = run.request("walk", velocity_m_s=(0.4, 0.0))
    run.run(2.5, walk)
    start, t = run.sim.truth.q[:2].copy(), run.sim.t_s
    run.run(1.9, walk)
    assert run.stands, run.brain.output.reason
    way = (run.sim.truth.q[:2] - start) / (run.sim.t_s - t)
    assert way[0] == pytest.approx(0.4, rel=0.15)
    assert abs(way[1]) < 0.08


@pytest.mark.parametrize("jitter_ms", [0.4, 2.0])
def test_late_time_stamps_do_not_change_the_speed_of_a_walk(jitter_ms: float) -> None:
    run = WalkingRun("g1", seed=3, sensors={"jitter_ms": jitter_ms})
    walk, off_m_s = run.request("walk", velocity_m_s=(0.4, 0.0)), []

    def measure() -> None:
        off_m_s.append(run.brain.estimator.v[0] - run.sim.truth.v[0])

    run.run(4.0, walk, measure)
    assert run.stands, run.brain.output.reason
    assert abs(np.mean(off_m_s[2000:])) < 0.01
