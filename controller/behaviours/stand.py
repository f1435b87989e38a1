"""Behaviour `stand`: the robot stands still."""

from __future__ import annotations

from kilohertz.controller.behaviours.base import Behaviour, UpperBodyParameters


class Stand(Behaviour):
    """Stand still at the nominal posture; hands, and a fixed arm, hold their present pose."""

    name = "stand"
    fixed_base = True

    class Parameters(UpperBodyParameters):
        """Parameters of `stand`."""
