"""Draws a robot with its contacts, forces and balance into the cockpit's 3D view."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.view.robot_figure import RobotFigure
from kilohertz.rt.view.sole_polygon import fan, sole_polygon

Vector = NDArray[np.float64]

ESTIMATE, REFERENCE, DCM, ZMP, HAND = (
    (230, 159, 0),
    (90, 90, 90),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
)
PLANNED = (86, 140, 233)
CLOSED, OPEN, FOOTSTEP, FORCE = (0, 158, 115), (170, 170, 170), (120, 140, 170), (213, 94, 0)
ARROW_M_PER_WEIGHT = 0.5
"""Length of the arrow of a force that carries the whole robot [m]."""
SHORTEST_ARROW_M = 1e-3
NO_ARROW = np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 0.1]]])
FOOTSTEPS_KEPT = 16
ABOVE_GROUND_M = 0.002
SEEN_THROUGH = 0.55
"""Opacity of the robot's parts while one sees through them."""
CAMERA_OF_HEIGHT = (1.05, 0.85, 0.75)
"""Place of the camera over the height of the robot."""
FAR = (0.0, 0.0, -1000.0)
"""Place of what is not to be seen."""


class Footprints:
    """The places where the soles came down, of the last few steps.

    Args:
        polygons: (k, 3) corners of each sole in its contact frame [m].
    """

    def __init__(self, polygons: list[Vector]) -> None:
        self._polygons = polygons
        self._closed = [False] * len(polygons)
        self._prints: deque[Vector] = deque(maxlen=FOOTSTEPS_KEPT)

    def update(self, closed: list[bool], p_WF: Vector, R_WF: Vector) -> bool:
        """Takes the state of the contacts; returns whether a sole has come down since the last call.

        Args:
            closed: whether each contact is closed.
            p_WF: (nc, 3) positions of the contacts [m].
            R_WF: (nc, 3, 3) their orientations.
        """
        landed = [i for i, (before, now) in enumerate(zip(self._closed, closed, strict=True)) if now > before]
        self._closed = list(closed)
        for i in landed:
            self._prints.append(p_WF[i] + self._polygons[i] @ R_WF[i].T)
        return bool(landed)

    def mesh(self) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """Returns all prints as one mesh; a single invisible triangle if there are none."""
        if not self._prints:
            return np.array([FAR] * 3, np.float32), np.array([[0, 1, 2]], np.uint32)
        vertices, faces, first = [], [], 0
        for polygon in self._prints:
            vertices.append(polygon + np.array([0.0, 0.0, ABOVE_GROUND_M]))
            faces.append(fan(len(polygon)) + np.uint32(first))
            first += len(polygon)
        return np.concatenate(vertices).astype(np.float32), np.concatenate(faces)


def planned_soles(
    footsteps: Vector, polygons: list[Vector]
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Returns the soles of planned footsteps as one mesh; a single invisible triangle if there are none.

    Args:
        footsteps: (n, 5) footsteps: index of the contact, x, y, z [m] and yaw [rad]; NaN for none.
        polygons: (k, 3) corners of each sole in its contact frame [m].
    """
    vertices, faces, first = [], [], 0
    for foot, x, y, z, yaw in footsteps.tolist():
        if not math.isfinite(foot):
            continue
        polygon = polygons[int(foot)]
        c, s = math.cos(yaw), math.sin(yaw)
        turned = polygon @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 0.0]])
        vertices.append(turned + np.array([x, y, z + ABOVE_GROUND_M]))
        faces.append(fan(len(polygon)) + np.uint32(first))
        first += len(polygon)
    if not vertices:
        return np.array([FAR] * 3, np.float32), np.array([[0, 1, 2]], np.uint32)
    return np.concatenate(vertices).astype(np.float32), np.concatenate(faces)


class Scene:
    """The 3D view of one robot.

    All is drawn relative to `/world`, which is moved so that the robot stays in front of the camera.

    Args:
        server: web server of the cockpit.
        robot: model of the robot.

    Attributes:
        figure: figure of the robot in the posture that was drawn last.
        follows: whether the view moves with the robot.
    """

    def __init__(self, server: viser.ViserServer, robot: RobotModel) -> None:
        self._server, self._robot = server, robot
        self.figure = figure = RobotFigure(robot)
        self.follows = True
        self._weight_N = robot.mass_kg * GRAVITY_M_S2
        scene = server.scene
        scene.set_up_direction("+z")
        self._world = scene.add_frame("/world", show_axes=False)
        scene.add_grid(
            "/world/ground",
            infinite_grid=True,
            cell_size=0.25,
            section_size=1.0,
            cell_color=(215, 218, 222),
            section_color=(180, 185, 190),
            fade_distance=12.0,
            shadow_opacity=0.2,
        )
        drawn = sorted({part.link for part in figure.parts})
        self._links = [(i, scene.add_frame(f"/world/links/{i}", show_axes=False)) for i in drawn]
        self._parts: list[tuple[Any, float]] = []
        for number, part in enumerate(figure.parts):
            mesh = scene.add_mesh_simple(
                f"/world/links/{part.link}/{number}",
                part.vertices,
                part.faces,
                color=tuple(round(255.0 * value) for value in part.rgba[:3]),
                side="double",
            )
            self._parts.append((mesh, part.rgba[3]))
        self.see_through = True
        self._polygons = [sole_polygon(contact.corners_F) for contact in robot.contacts]
        self._soles = [
            self._polygon(f"/world/soles/{i}", polygon) for i, polygon in enumerate(self._polygons)
        ]
        self._begin_steps()
        self._planned: Any = None
        self._shown_steps: Vector = np.zeros((0, 5))
        self._forces = [self._arrow(f"/world/soles/{i}/force") for i in range(len(self._soles))]
        floating = robot.floating
        self._com = self._ball("com", 0.03, ESTIMATE, visible=floating)
        self._com_des = self._ball("com-reference", 0.022, REFERENCE, visible=floating)
        self._dcm = self._ball("dcm", 0.018, DCM, visible=floating)
        self._dcm_des = self._ball("dcm-reference", 0.014, REFERENCE, visible=floating)
        self._zmp = self._ball("zmp", 0.016, ZMP, visible=floating)
        self._hands = [self._ball(f"hand-{name}", 0.025, HAND, visible=False) for name in robot.hand_names]
        self._aim()

    def _ball(self, name: str, radius_m: float, colour: tuple[int, int, int], *, visible: bool) -> Any:
        return self._server.scene.add_icosphere(
            f"/world/{name}", radius=radius_m, color=colour, position=FAR, visible=visible
        )

    def _polygon(self, name: str, polygon: Vector) -> Any:
        vertices = np.asarray(polygon - np.array([0.0, 0.0, ABOVE_GROUND_M]), np.float32)
        return self._server.scene.add_mesh_simple(
            name, vertices, fan(len(polygon)), color=OPEN, opacity=0.8, side="double", cast_shadow=False
        )

    def _arrow(self, name: str) -> Any:
        return self._server.scene.add_arrows(
            name,
            NO_ARROW,
            colors=FORCE,
            shaft_radius=0.012,
            head_radius=0.028,
            head_length=0.06,
            visible=False,
        )

    def _begin_steps(self) -> None:
        self._prints = Footprints(self._polygons)
        vertices, faces = self._prints.mesh()
        self._steps = self._server.scene.add_mesh_simple(
            "/world/footsteps", vertices, faces, color=FOOTSTEP, opacity=0.5, side="double", cast_shadow=False
        )

    def _aim(self) -> None:
        """Aims the cameras of new visitors at the robot from its front left."""
        height_m = float(np.max(self.figure.p_WL[1:, 2])) if len(self.figure.links) > 1 else 1.0
        size_m = max(0.5, height_m)
        camera = self._server.initial_camera
        camera.position = tuple(size_m * value for value in CAMERA_OF_HEIGHT)
        camera.look_at = (0.0, 0.0, 0.5 * size_m)

    @property
    def see_through(self) -> bool:
        """Whether forces and centre of mass are seen through the robot."""
        return self._see_through

    @see_through.setter
    def see_through(self, wanted: bool) -> None:
        self._see_through = wanted
        for mesh, opacity in self._parts:
            seen = opacity * SEEN_THROUGH if wanted else opacity
            mesh.opacity = seen if seen < 1.0 else None

    @property
    def legend(self) -> str:
        """What the colours mean, as Markdown."""
        names = (
            [
                ("centre of mass", ESTIMATE),
                ("divergent component of motion (DCM)", DCM),
                ("zero-moment point", ZMP),
                ("planned footsteps", PLANNED),
            ]
            if self._robot.floating
            else []
        )
        names += [
            ("references", REFERENCE),
            ("reference of a hand", HAND),
            ("contact force in the QP", FORCE),
        ]
        return "\n\n".join(f'<span style="color: rgb{colour}">●</span> {name}' for name, colour in names)

    def begin_run(self) -> None:
        """Forgets the footsteps, as a new run begins."""
        self._steps.remove()
        self._begin_steps()

    def track_steps(self, values: Mapping[str, Any]) -> None:
        """Takes every message of the run, so that no footstep is missed.

        Args:
            values: q and contact, see `rt/TELEMETRY.md`.
        """
        if not self._polygons or "contact" not in values:
            return
        closed = [bool(value) for value in values["contact"]]
        if closed != self._prints._closed:
            self.figure.pose(values["q"])
            if self._prints.update(closed, self.figure.p_WF, self.figure.R_WF):
                self._steps.vertices, self._steps.faces = self._prints.mesh()

    def draw(self, values: Mapping[str, Any]) -> None:
        """Draws the state of one moment.

        Args:
            values: values of a state message, see `rt/TELEMETRY.md`.
        """
        figure = self.figure
        figure.pose(values["q"])
        with self._server.atomic():
            if self.follows and self._robot.floating:
                self._world.position = (-float(values["q"][0]), -float(values["q"][1]), 0.0)
            else:
                self._world.position = (0.0, 0.0, 0.0)
            for link, frame in self._links:
                frame.position, frame.wxyz = figure.p_WL[link], figure.quat_WL[link]
            self._draw_contacts(values)
            self._draw_balance(values)
            self._draw_planned(values)
            for i, ball in enumerate(self._hands):
                ball.visible = bool(values["hand_active"][i])
                ball.position = _place(values["p_WH_des"][3 * i : 3 * i + 3])

    def _draw_planned(self, values: Mapping[str, Any]) -> None:
        """Draws the coming footsteps, where they changed."""
        steps = np.reshape(values.get("footsteps", ()), (-1, 5))
        if np.array_equal(steps, self._shown_steps, equal_nan=True):
            return
        self._shown_steps = steps
        vertices, faces = planned_soles(steps, self._polygons)
        if self._planned is None:
            self._planned = self._server.scene.add_mesh_simple(
                "/world/planned",
                vertices,
                faces,
                color=PLANNED,
                opacity=0.6,
                side="double",
                cast_shadow=False,
            )
        else:
            self._planned.vertices, self._planned.faces = vertices, faces

    def _draw_contacts(self, values: Mapping[str, Any]) -> None:
        if not self._soles:
            return
        p_WF, R_WF = self.figure.p_WF, self.figure.R_WF
        # Contact wrenches have the axes of their contacts, as the arrows below the soles have.
        arrows_F = np.reshape(values["w_F"], (-1, 6))[:, :3] * (ARROW_M_PER_WEIGHT / self._weight_N)
        for i, (sole, arrow, tip_F) in enumerate(zip(self._soles, self._forces, arrows_F, strict=True)):
            sole.position, sole.wxyz = p_WF[i], _quaternion(R_WF[i])
            colour = CLOSED if values["contact"][i] else OPEN
            if tuple(sole.color) != colour:
                sole.color = colour
            drawn = bool(np.isfinite(tip_F).all()) and float(np.linalg.norm(tip_F)) > SHORTEST_ARROW_M
            if drawn:
                arrow.points = np.array([[np.zeros(3), tip_F]], np.float32)
            if arrow.visible != drawn:
                arrow.visible = drawn

    def _draw_balance(self, values: Mapping[str, Any]) -> None:
        if not self._robot.floating:
            return
        ground_m = float(values["p_WS"][2])
        self._com.position = _place(values["p_WC"])
        self._com_des.position = _place(values["p_WC_des"])
        self._dcm.position = _place((*values["p_WD"], ground_m))
        self._dcm_des.position = _place((*values["p_WD_des"], ground_m))
        self._zmp.position = _place((*values["zmp_des"], ground_m))

    def remove(self) -> None:
        """Removes all that was drawn."""
        self._world.remove()


def _place(position: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in position)
    return (x, y, z) if math.isfinite(x + y + z) else FAR


def _quaternion(R: Vector) -> Vector:
    """(w, x, y, z) of a rotation matrix."""
    wxyz: Vector = viser.transforms.SO3.from_matrix(R).wxyz
    return wxyz
