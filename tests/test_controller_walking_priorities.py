"""Only the task weights of yaw and arms change while walking, and they are restored afterwards."""

import numpy as np
from gaits import WalkingRun


def test_weights_of_walking_come_and_go() -> None:
    run = WalkingRun("g1")
    body, gains = run.brain.body, run.gains
    posture = body.reference("posture")[run.robot.na :]
    before = [body.weight(name).copy() for name in ("base", "trunk", "angular_momentum")] + [posture.copy()]
    run.walking._priorities.walk()
    assert body.weight("trunk")[2] == gains.walk.heading_weight
    np.testing.assert_array_equal(body.weight("trunk")[:2], before[1][:2])
    assert body.weight("angular_momentum")[2] > before[2][2]
    arm, waist, hip = (
        run.robot.joint_names.index(name)
        for name in ("left_elbow_joint", "waist_yaw_joint", "left_hip_pitch_joint")
    )
    assert posture[arm] == gains.walk.arm_weight
    assert posture[waist] == before[3][waist]
    assert posture[hip] == before[3][hip]
    run.walking._priorities.stand()
    after = [body.weight(name) for name in ("base", "trunk", "angular_momentum")] + [posture]
    for now, then in zip(after, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_base_and_trunk_lean_only_in_a_step_that_catches_the_robot() -> None:
    run = WalkingRun("g1")
    priorities, body = run.walking._priorities, run.brain.body
    weights = [body.weight(name) for name in ("base", "trunk")]
    standing = [weight.copy() for weight in weights]
    priorities.walk()
    walking = [weight.copy() for weight in weights]
    priorities.lean(True)
    for weight, before in zip(weights, walking, strict=True):
        assert (weight[:2] < 0.5 * before[:2]).all()
        assert weight[2] == before[2]
    priorities.lean(False)
    np.testing.assert_array_equal(weights, walking)
    priorities.lean(True)
    priorities.stand()
    np.testing.assert_array_equal(weights, standing)


def test_on_points_no_moment_about_the_vertical_is_asked_for() -> None:
    run = WalkingRun("bolt")
    run.walking._priorities.walk()
    assert run.brain.body.weight("angular_momentum")[2] == 0.0
