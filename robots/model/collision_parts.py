"""Check of the names in section `collision` of robot.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.model.description import RobotDescription


def unknown_parts(
    description: RobotDescription, links: Collection[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields the place in robot.yaml and a sentence for each name that is neither a link nor a hand.

    Args:
        description: content of robot.yaml.
        links: names of the model's links.
    """
    collision = description.collision
    if collision is None:
        return
    known = [*description.hands, *links]
    places: list[tuple[tuple[str, ...], str]] = [
        (("ignore",), name) for pair in collision.ignore for name in pair
    ]
    for plane, given in collision.planes.items():
        places += [(("planes", plane, "parts"), name) for name in given.parts]
    for loc, name in places:
        if name not in known:
            hint = did_you_mean(name, known)
            yield ("collision", *loc), f"'{name[:80]}' is neither a link nor a hand of the robot{hint}"
