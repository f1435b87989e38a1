"""Which estimators can do without contacts."""

from sim_runs import robot, simulate

from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.interface import HangingEstimator
from kilohertz.sim.truth import TruthEstimator


def test_estimators_of_robots_on_legs_can_hang_and_those_of_arms_cannot():
    assert isinstance(FloatingBaseEstimator(robot("g1")), HangingEstimator)
    assert isinstance(TruthEstimator(simulate("g1").truth), HangingEstimator)
    assert not isinstance(FixedBaseEstimator(robot("panda")), HangingEstimator)
