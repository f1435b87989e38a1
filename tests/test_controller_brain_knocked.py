"""A joint that is knocked by an obstacle stops no robot; an encoder that jumps does."""

from __future__ import annotations

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.sim.scenario_schema import Push

pytestmark = pytest.mark.closed_loop
WRIST = "left_wrist_roll_joint"


def standing():
    run = WalkingRun("g1", seed=4)
    request = run.request("stand")
    run.run(0.5, request)
    assert run.stands
    return run, request, run.robot.joint_names.index(WRIST)


@pytest.mark.long
@pytest.mark.parametrize("way", [1.0, -1.0])
@pytest.mark.parametrize("times", [0.6, 1.6, 2.2])
def test_a_wrist_that_is_knocked_in_a_push_does_not_stop_the_robot(way, times):
    run, request, joint = standing()
    speed = way * times * run.robot.velocity_limit_rad_s[joint]
    fastest = []

    def knock():
        fastest.append(abs(run.sensors.v[joint]))
        # Two knocks, one after the other, while the robot is pushed.
        if len(fastest) in (20, 45):
            run.sim.world.data.qvel[run.sim.world.joint_dof[joint]] = speed

    run.sim.push(Push(link="trunk", impulse_Ns=(10.0, 4.0, 0.0), duration_s=0.1))
    run.run(1.5, request, knock)
    assert max(fastest) > 0.8 * abs(speed)
    assert run.stands, run.brain.output.reason


@pytest.mark.parametrize("jump_rad", [0.3, -0.3, 2.0 * np.pi])
def test_an_encoder_that_jumps_stops_the_robot_within_three_samples(jump_rad):
    run, request, joint = standing()
    read, ticks = run.sim.read, []

    def jumped(sensors):
        done = read(sensors)
        sensors.q[joint] += jump_rad
        ticks.append(len(ticks))
        return done

    run.sim.read = jumped
    run.run(0.1, request)
    assert run.brain.output.state == "damping"
    assert run.brain.output.reason.endswith(f"are implausible: the encoder of {WRIST} jumps")
    assert len(ticks) == 3
