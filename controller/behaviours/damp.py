"""Letting go: every joint is damped."""

from __future__ import annotations

from kilohertz.controller.behaviours.base import Behaviour, Legs


class Damp(Behaviour):
    """Damp every joint and do nothing else; only a new start ends it."""

    name = "damp"
    legs = Legs.RELEASE
    fixed_base = True
    works_on_points = True
