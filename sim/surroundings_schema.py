"""The schema of what surrounds a robot in a scenario: obstacles, tips of tools, people who push, a gantry."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kilohertz.robots.config.yaml_file import Config
from kilohertz.robots.model.description import Name, Point, Rpy

_Friction = Annotated[float, Field(gt=0, le=3)]
_ContactTime = Annotated[float, Field(ge=0.005, le=0.2)]
_Force = Annotated[float, Field(ge=-1000, le=1000)]
_Edge = Annotated[float, Field(gt=0, le=100)]
_Speed = Annotated[float, Field(ge=-3, le=3)]


class BoxObstacle(Config):
    """A box that is fixed to the world.

    Attributes:
        p_WO_m: position of its middle in the world [m].
        from_hand: hand at whose place in the nominal posture `p_WO_m` begins; left out, the world's origin.
        rpy_WO_rad: its roll, pitch and yaw in the world [rad].
        size_m: lengths of its edges along its axes [m].
        friction: Coulomb coefficient of its surface.
        contact_time_s: time constant with which a contact with it settles; larger for a softer surface [s].
    """

    kind: Literal["box"]
    p_WO_m: Point
    from_hand: str | None = None
    rpy_WO_rad: Rpy = (0.0, 0.0, 0.0)
    size_m: tuple[_Edge, _Edge, _Edge]
    friction: _Friction = 0.5
    contact_time_s: _ContactTime = 0.02


class PlaneObstacle(Config):
    """An endless plane that is fixed to the world; the whole arm must be on the side of its z axis.

    A table top at the height of the hand is a box, because the base of the arm is below it.

    Attributes:
        p_WO_m: a point of the plane in the world [m].
        from_hand: hand at whose place in the nominal posture `p_WO_m` begins; left out, the world's origin.
        rpy_WO_rad: roll, pitch and yaw of the plane in the world [rad].
        friction: Coulomb coefficient of its surface.
        contact_time_s: time constant with which a contact with it settles; larger for a softer surface [s].
    """

    kind: Literal["plane"]
    p_WO_m: Point
    from_hand: str | None = None
    rpy_WO_rad: Rpy = (0.0, 0.0, 0.0)
    friction: _Friction = 0.5
    contact_time_s: _ContactTime = 0.02


Obstacle = Annotated[BoxObstacle | PlaneObstacle, Field(discriminator="kind")]
Obstacles = dict[Name, Obstacle]


class Tip(Config):
    """A ball without mass around the point of a hand, with which it touches obstacles.

    Attributes:
        radius_m: radius of the ball [m].
    """

    radius_m: Annotated[float, Field(gt=0, le=0.2)]


class HandPush(Config):
    """A force on the point of a hand that rises, stays and falls, as of a person who pushes.

    Attributes:
        hand: name of the hand.
        force_N: largest force, in world axes [N].
        frequency_Hz: frequency with which the person pushes to and fro, along a sine; 0 for a steady push.
        rise_s: time in which it rises linearly [s].
        hold_s: time for which it stays [s].
        fall_s: time in which it falls linearly [s].
    """

    hand: str
    force_N: tuple[_Force, _Force, _Force]
    frequency_Hz: Annotated[float, Field(ge=0, le=20)] = 0.0
    rise_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    hold_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    fall_s: Annotated[float, Field(ge=0, le=600)] = 1.0

    @property
    def duration_s(self) -> float:
        """Time from its beginning to its end [s]."""
        return self.rise_s + self.hold_s + self.fall_s

    def share(self, t_s: float) -> float:
        """Returns the part of the largest force at a time since the beginning [s]."""
        part = 1.0
        if t_s < self.rise_s:
            part = max(t_s, 0.0) / self.rise_s
        elif t_s >= self.rise_s + self.hold_s:
            part = max(self.duration_s - t_s, 0.0) / max(self.fall_s, 1e-9)
        return part * math.sin(2.0 * math.pi * self.frequency_Hz * t_s) if self.frequency_Hz else part


class HandLead(Config):
    """A person who moves the point of a hand at a speed, with the force that this takes.

    The person holds the hand by a spring and a damper and pulls with a limited force. The speed rises and
    falls linearly within `ramp_s`.

    Attributes:
        hand: name of the hand.
        velocity_m_s: velocity of the person's hand, in world axes [m/s].
        duration_s: time from the beginning to the end [s].
        ramp_s: time in which the speed rises, and in which it falls [s].
        most_N: largest force of the person [N].
        stiffness_N_m: stiffness of the person's arm [N/m].
        damping_Ns_m: damping of the person's arm [Ns/m].
    """

    hand: str
    velocity_m_s: tuple[_Speed, _Speed, _Speed]
    duration_s: Annotated[float, Field(gt=0, le=3600)]
    ramp_s: Annotated[float, Field(ge=0, le=60)] = 0.5
    most_N: Annotated[float, Field(gt=0, le=1000)] = 20.0
    stiffness_N_m: Annotated[float, Field(gt=0, le=10000)] = 400.0
    damping_Ns_m: Annotated[float, Field(ge=0, le=1000)] = 20.0


class SharedLoad(Config):
    """A box that two hands of an arm grip from the time of the event to the end of the run.

    The box is carried by the first hand, without play. The second hand holds it by an elastic grip, so that
    both arms and the box form a closed chain. The middle of the box is midway between the hands.

    Attributes:
        hands: names of the two hands.
        mass_kg: mass of the box.
        size_m: lengths of its edges, in the axes of the world at the time of the event [m].
        misfit_m: by how much the place for the second hand on the box is off that hand when it grips, in
            world axes; the hands are then forced against each other [m].
        grip_s: time constant with which the elastic grip settles; larger for a softer one [s].
    """

    hands: tuple[str, str]
    mass_kg: Annotated[float, Field(gt=0, le=1000)]
    size_m: tuple[_Edge, _Edge, _Edge] = (0.2, 0.2, 0.2)
    misfit_m: Point = (0.0, 0.0, 0.0)
    grip_s: Annotated[float, Field(ge=0.005, le=0.2)] = 0.01

    @property
    def inertia_kgm2(self) -> tuple[float, float, float]:
        """Moments of inertia of the solid box about its axes [kg m^2]."""
        x, y, z = (edge * edge for edge in self.size_m)
        part = self.mass_kg / 12.0
        return part * (y + z), part * (x + z), part * (x + y)


class GantryPlan(Config):
    """A gantry, from which a robot on legs hangs by a tether at the start of the run.

    Attributes:
        lower_at_s: time from which the winch lowers the robot, until the tether is slack [s].
        raise_at_s: time from which the winch raises the robot again, until its soles are `height_m` over the
            ground [s]; left out, the tether stays slack.
        height_m: height of the lowest sole over the ground while the robot hangs [m].
        lower_m_s: speed of the winch downwards [m/s].
        raise_m_s: speed of the winch upwards [m/s].
        slack_m: length by which the tether is longer than it needs to be once the robot is lowered [m].
        link: link that the tether is fixed to; see `kilohertz.sim.scenario`.
        p_LP_m: point of the link that the tether is fixed to [m]; left out, it is over the centre of mass at
            the height of the shoulders.
        rope_m: length of the tether at the start [m].
        stretch_m: length by which the weight of the robot stretches the tether [m].
    """

    lower_at_s: Annotated[float, Field(ge=0, le=3600)]
    raise_at_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    height_m: Annotated[float, Field(ge=0.01, le=2)] = 0.1
    lower_m_s: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    raise_m_s: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    slack_m: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    link: str = "trunk"
    p_LP_m: Point | None = None
    rope_m: Annotated[float, Field(ge=0.1, le=10)] = 1.5
    stretch_m: Annotated[float, Field(ge=0.005, le=0.5)] = 0.05

    @model_validator(mode="after")
    def _lowered_first(self) -> GantryPlan:
        if self.raise_at_s is not None and self.raise_at_s <= self.lower_at_s:
            raise ValueError("should raise the robot after it was lowered: set raise_at_s after lower_at_s")
        return self


class WristFault(Config):
    """The force-torque sensor of a hand fails, for the rest of the run.

    Attributes:
        hand: name of the hand.
        kind: `silent` if no values come any more, `frozen` if the last values are repeated.
    """

    hand: str
    kind: Literal["silent", "frozen"] = "silent"
