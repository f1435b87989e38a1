"""Standing still."""

from __future__ import annotations

from kilohertz.controller.behaviours.base import Behaviour, UpperBodyParameters


class Stand(Behaviour):
    """Stand still at the nominal posture; hands, and an arm, hold the pose that they have."""

    name = "stand"
    fixed_base = True

    class Parameters(UpperBodyParameters):
        """Parameters of `stand`."""
