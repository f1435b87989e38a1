"""Options and exit statuses that several commands of `khz` share."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

EXIT_FAULT = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_LINK_LOST = 4
SHORTEST_RUN_S, LONGEST_RUN_S = 0.001, 86_400.0

RobotArgument = Annotated[
    str,
    typer.Argument(
        metavar="ROBOT", help="A robot that ships (see `khz robots`), or a folder that holds a robot.yaml."
    ),
]
GainsOption = Annotated[
    Path | None, typer.Option("--gains", metavar="FILE", help="Gains instead of the robot's own gains.yaml.")
]
WatchGainsOption = Annotated[
    bool,
    typer.Option("--watch-gains", help="Take changes of that file while it runs; what goes wrong goes back."),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file, as JSON.")
]


PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="DIR", help="Draw the run into this folder: PNG plots and a GIF."),
]
LogOption = Annotated[
    Path | None,
    typer.Option("--log", metavar="DIR", help="Record every tick, into a file in this folder."),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="What happens; left out, the robot's default scenario."),
]
DurationOption = Annotated[
    float | None,
    typer.Option(
        metavar="S", min=SHORTEST_RUN_S, max=LONGEST_RUN_S, help="Seconds, instead of the scenario's."
    ),
]
SeedOption = Annotated[
    int, typer.Option(metavar="N", min=0, help="Of noise, biases, model error and terrain.")
]


SlowMotionOption = Annotated[
    int,
    typer.Option(
        "--slow-motion", metavar="N", min=1, max=100, help="A simulated robot N times slower; at both ends."
    ),
]


class Link(enum.Enum):
    """Where the simulated robot is."""

    INPROC = "inproc"
    ZMQ = "zmq"
