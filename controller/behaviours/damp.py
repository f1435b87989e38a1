"""Behaviour `damp`: every joint is damped."""

from __future__ import annotations

from kilohertz.controller.behaviours.base import Behaviour, Legs


class Damp(Behaviour):
    """Damp every joint, without any other control, until the controller is started again."""

    name = "damp"
    legs = Legs.RELEASE
    fixed_base = True
    works_on_points = True
