"""Kilohertz: a 1 kHz whole-body controller for bipeds and arms.

Run a scenario and look at its result::

    import kilohertz as khz

    run = khz.simulate("g1", scenario="walk", duration_s=1.0)
    print(run.fell, run.summary["tracking"]["mean_velocity_m_s"])
    t_s, p_WC = run.history["t_s"], run.history["p_WC"]

`Simulation` runs step by step, `Controller` is for the user's own simulator or driver, `Estimator` is its
state estimator alone, `connect` commands a controller that runs in another process, and `replay` repeats a
recorded run. Importing this package loads no other module; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if __name__ != "kilohertz":
    raise ImportError("this package is installed as 'kilohertz': import that")

if TYPE_CHECKING:
    from kilohertz.batch import simulate as simulate
    from kilohertz.connection import Connection as Connection
    from kilohertz.connection import connect as connect
    from kilohertz.history import History as History
    from kilohertz.models import load_robot as load_robot
    from kilohertz.models import robot_names as robot_names
    from kilohertz.models import scenario_names as scenario_names
    from kilohertz.own_estimator import Estimator as Estimator
    from kilohertz.own_loop import Controller as Controller
    from kilohertz.own_loop import OutsidePose as OutsidePose
    from kilohertz.own_loop import Sensors as Sensors
    from kilohertz.refused import Refused as Refused
    from kilohertz.replaying import replay as replay
    from kilohertz.robots.model.robot_model import RobotModel as RobotModel
    from kilohertz.robots.wire.link import LinkLostError as LinkLostError
    from kilohertz.rt.live.control_status import ControlEvent as ControlEvent
    from kilohertz.rt.live.control_status import ControlStatus as ControlStatus
    from kilohertz.rt.run.replay import ReplayResult as ReplayResult
    from kilohertz.run_result import RunResult as RunResult
    from kilohertz.stepwise import Simulation as Simulation
    from kilohertz.stepwise import State as State

    __version__: str

__all__ = [
    "Connection",
    "ControlEvent",
    "ControlStatus",
    "Controller",
    "Estimator",
    "History",
    "LinkLostError",
    "OutsidePose",
    "Refused",
    "ReplayResult",
    "RobotModel",
    "RunResult",
    "Sensors",
    "Simulation",
    "State",
    "__version__",
    "connect",
    "load_robot",
    "replay",
    "robot_names",
    "scenario_names",
    "simulate",
]

_MODULES = {
    "Connection": "connection",
    "ControlEvent": "rt.live.control_status",
    "ControlStatus": "rt.live.control_status",
    "Controller": "own_loop",
    "Estimator": "own_estimator",
    "OutsidePose": "own_loop",
    "History": "history",
    "Refused": "refused",
    "LinkLostError": "robots.wire.link",
    "ReplayResult": "rt.run.replay",
    "RobotModel": "robots.model.robot_model",
    "RunResult": "run_result",
    "Sensors": "own_loop",
    "Simulation": "stepwise",
    "State": "stepwise",
    "connect": "connection",
    "load_robot": "models",
    "replay": "replaying",
    "robot_names": "models",
    "scenario_names": "models",
    "simulate": "batch",
}


# Hidden from type checkers, because with __getattr__ they would accept any misspelt name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Loads a public name when it is first used (PEP 562)."""
        if name == "__version__":
            from importlib.metadata import version

            value: Any = version("kilohertz")
        elif name in _MODULES:
            value = getattr(importlib.import_module(f"kilohertz.{_MODULES[name]}"), name)
        else:
            raise AttributeError(f"module 'kilohertz' has no attribute '{name}'")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
