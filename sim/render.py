"""Rendering of a recorded run with the robot's visual meshes, to PNG and GIF files, without a display."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray
from PIL import Image

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.mujoco_robot import robot_spec
from kilohertz.sim.scenario import attachments, frame_in_link
from kilohertz.sim.scenario_schema import Push, Scenario
from kilohertz.sim.surroundings_schema import SharedLoad
from kilohertz.sim.terrain import Terrain, make_terrain

Vector = NDArray[np.float64]
Picture = NDArray[np.uint8]

GL_PLATFORMS = ("egl", "osmesa")
NO_GL = (
    "no picture was written, because neither EGL nor OSMesa works on this machine "
    "(on Debian: apt install libegl1 libgl1-mesa-dri, or libosmesa6)"
)

SIZE_PX = (480, 360)
GIF_COLOURS = 96
# Geometry with MuJoCo's default grey is drawn in this lighter colour.
MUJOCO_GREY = (0.5, 0.5, 0.5, 1.0)
PAINT = (0.86, 0.87, 0.88, 1.0)
# A push of a tenth of a second is too short to see, so that its arrow is shown for this much longer.
ARROW_S = 0.4
# An arrow ends in front of the body, where it is visible.
ARROW_M_PER_NS = 0.03
ARROW_LONGEST_M = 0.5
ARROW_GAP_OF_HEIGHT = 0.2
LEAD_KG_M3 = 11340.0
# The camera does not move until the robot is this far from the point at which it looks, horizontally or
# vertically.
FOLLOW_AFTER_M = 0.15
# Higher ground is tinted with this colour, because steps are hard to see in a uniform pattern.
HIGH_GROUND = (0.80, 0.62, 0.42)
# Position of the lamp relative to the point at which the camera looks; shadows are sharp only near the lamp.
LAMP_M = (2.0, -1.0, 5.0)


def gl_platform() -> str | None:
    """Returns the OpenGL platform for drawing without a display: `egl` or `osmesa`; None if neither works.

    If $MUJOCO_GL names one of them, only this one is tried. Each platform is tried in a separate process,
    because PyOpenGL binds to one platform for the life of a process, and a broken driver may crash.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    if wanted in ("off", "disable", "disabled", "false", "0"):
        return None
    return _working_platform((wanted,) if wanted in GL_PLATFORMS else GL_PLATFORMS)


@functools.cache
def _working_platform(platforms: tuple[str, ...]) -> str | None:
    for platform in platforms:
        script = f"from mujoco.{platform} import GLContext; c = GLContext(8, 8); c.make_current(); c.free()"
        environment = {**os.environ, "PYOPENGL_PLATFORM": platform, "MUJOCO_GL": platform}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return platform
    return None


class Painter:
    """Draws pictures of one robot on the ground of one scenario.

    Args:
        robot: model of the robot.
        scenario: scenario with the ground, pushes and payloads to draw.
        seed: random seed of the run, for the ground.
        platform: OpenGL platform, as `gl_platform` returns it.
        size_px: width and height of the pictures [pixels].
    """

    def __init__(
        self,
        robot: RobotModel,
        scenario: Scenario,
        seed: int,
        platform: str,
        *,
        size_px: tuple[int, int] = SIZE_PX,
    ) -> None:
        self._robot = robot
        self._scenario = scenario
        self._payloads: list[tuple[float, str]] = []
        self._pushes = [(event.at_s, event.push) for event in scenario.events if event.push is not None]
        width_px, height_px = size_px
        self._model = self._build(seed, width_px, height_px)
        self._data = mujoco.MjData(self._model)
        self._joint_qpos = np.array(
            [self._model.jnt_qposadr[self._model.joint(name).id] for name in robot.joint_names], np.intp
        )
        os.environ["PYOPENGL_PLATFORM"] = platform
        os.environ.setdefault("MUJOCO_GL", platform)
        if platform == "egl":
            from mujoco.egl import GLContext
        else:
            from mujoco.osmesa import GLContext
        self._gl = GLContext(width_px, height_px)
        self._gl.make_current()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene = mujoco.MjvScene(self._model, 4000)
        self._option = mujoco.MjvOption()
        mujoco.mjv_defaultOption(self._option)
        self._option.flags[mujoco.mjtVisFlag.mjVIS_STATIC] = True
        self._camera = mujoco.MjvCamera()
        self._aim()
        self._rect = mujoco.MjrRect(0, 0, width_px, height_px)
        self._pixels = np.empty((height_px, width_px, 3), np.uint8)

    def draw(self, t_s: float, q: Vector) -> Picture:
        """Draws the robot in one posture.

        Args:
            t_s: time of the run, for pushes and payloads [s].
            q: (nq,) posture in pinocchio's convention.

        Returns:
            (height, width, 3) picture, RGB from 0 to 255.
        """
        data, model, robot = self._data, self._model, self._robot
        data.qpos[self._joint_qpos] = q[robot.nq_base :]
        if robot.floating:
            data.qpos[:7] = q[[0, 1, 2, 6, 3, 4, 5]]
            middle = q[:3] - self._base_from_middle
            for axes in (slice(0, 2), slice(2, 3)):
                away = middle[axes] - self._camera.lookat[axes]
                distance = float(np.linalg.norm(away))
                if distance > FOLLOW_AFTER_M:
                    self._camera.lookat[axes] += away * (1.0 - FOLLOW_AFTER_M / distance)
        for at_s, geom in self._payloads:
            model.geom_rgba[model.geom(geom).id, 3] = 1.0 if t_s >= at_s else 0.0
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        data.light_xpos[0] = self._camera.lookat + LAMP_M
        self._gl.make_current()
        mujoco.mjv_updateScene(
            model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )
        for at_s, push in self._pushes:
            if at_s <= t_s < at_s + push.duration_s + ARROW_S:
                self._add_arrow(push)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        return np.flipud(self._pixels).copy()

    def add_push(self, at_s: float, push: Push) -> None:
        """Shows an arrow for a push that is not in the scenario, from a time of the run [s]."""
        self._pushes.append((at_s, push))

    def close(self) -> None:
        """Frees the OpenGL context and its memory."""
        self._context.free()
        self._gl.free()

    def _build(self, seed: int, width_px: int, height_px: int) -> Any:
        spec, _ = robot_spec(self._robot, visual=True)
        terrain = make_terrain(self._scenario.ground, seed)
        terrain.add_to(spec)
        _paint_ground(spec, terrain)
        for geom in spec.geoms:
            if np.allclose(geom.rgba, MUJOCO_GREY):
                geom.rgba = PAINT
        for event in self._scenario.events:
            if event.shared_load is not None:
                self._add_box(spec, event.at_s, event.shared_load)
            if event.payload is None:
                continue
            payload = event.payload
            for place in attachments(self._robot, payload.link, payload.p_LP_m):
                name = f"payload/{len(self._payloads)}"
                volume = payload.mass_kg * place.share / LEAD_KG_M3
                spec.body(place.link).add_geom(
                    name=name,
                    type=mujoco.mjtGeom.mjGEOM_SPHERE,
                    size=[(volume * 3 / (4 * np.pi)) ** (1 / 3), 0, 0],
                    pos=place.p_LP_m,
                    rgba=[0.85, 0.45, 0.1, 0.0],
                    contype=0,
                    conaffinity=0,
                )
                self._payloads.append((event.at_s, name))
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width_px, height_px
        spec.visual.quality.shadowsize = 2048
        spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
        spec.visual.headlight.diffuse = [0.45, 0.45, 0.45]
        spec.visual.map.znear = 0.02
        spec.stat.extent = 2.0
        return spec.compile()

    def _add_box(self, spec: Any, at_s: float, load: SharedLoad) -> None:
        """Adds a shared load on its first hand, where it is if the hands grip it in the nominal posture."""
        robot, name = self._robot, f"payload/{len(self._payloads)}"
        first, second = (robot.hands[robot.hand_names.index(hand)] for hand in load.hands)
        data = robot.pin_model.createData()
        pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
        X_WA = data.oMf[first.frame_id] * frame_in_link(robot, first.frame_id).inverse()
        middle = 0.5 * (robot.nominal_point(first.frame_id) + robot.nominal_point(second.frame_id))
        place, quaternion = X_WA.actInv(pin.SE3(np.eye(3), middle)), np.empty(4)
        mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(place.rotation).ravel())
        spec.body(first.link).add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=0.5 * np.array(load.size_m),
            pos=place.translation,
            quat=quaternion,
            rgba=[0.85, 0.45, 0.1, 0.0],
            contype=0,
            conaffinity=0,
        )
        self._payloads.append((at_s, name))

    def _aim(self) -> None:
        """Aims the camera at the robot from its front left, from the distance that shows the whole robot."""
        model, data, robot = self._model, self._data, self._robot
        data.qpos[self._joint_qpos] = robot.q_nominal[robot.nq_base :]
        if robot.floating:
            data.qpos[:7] = robot.q_nominal[[0, 1, 2, 6, 3, 4, 5]]
        mujoco.mj_kinematics(model, data)
        own = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] != 0]
        own = [geom for geom in own if not model.geom(geom).name.startswith("payload/")]
        radius = model.geom_rbound[own][:, None]
        low = (data.geom_xpos[own] - radius).min(axis=0)
        high = (data.geom_xpos[own] + radius).max(axis=0)
        low[2] = max(low[2], 0.0)
        self._camera.lookat[:] = (low + high) / 2
        self._base_from_middle = robot.q_nominal[:3] - self._camera.lookat if robot.floating else np.zeros(3)
        self._camera.distance = 1.3 * float(np.linalg.norm(high - low))
        self._camera.azimuth, self._camera.elevation = 145.0, -12.0
        self._height_m = float(high[2] - low[2])

    def _add_arrow(self, push: Push) -> None:
        scene = self._scene
        if scene.ngeom >= scene.maxgeom:
            return
        link = attachments(self._robot, push.link, (0.0, 0.0, 0.0))[0].link
        impulse = np.array(push.impulse_Ns)
        strength = float(np.linalg.norm(impulse))
        if strength == 0.0:
            return
        length = min(ARROW_M_PER_NS * strength, ARROW_LONGEST_M)
        gap = ARROW_GAP_OF_HEIGHT * self._height_m
        tip = self._data.xipos[self._model.body(link).id] - impulse / strength * gap
        tail = tip - impulse / strength * length
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(
            geom,
            mujoco.mjtGeom.mjGEOM_ARROW.value,
            np.zeros(3),
            np.zeros(3),
            np.zeros(9),
            np.array([0.85, 0.15, 0.1, 1.0], np.float32),
        )
        # MuJoCo draws an arrow half as long as the distance it connects.
        mujoco.mjv_connector(geom, mujoco.mjtGeom.mjGEOM_ARROW.value, 0.02, tail, 2 * tip - tail)
        scene.ngeom += 1


def _paint_ground(spec: Any, terrain: Terrain) -> None:
    """Adds a checker floor that is tinted by height, a pale sky and one lamp that casts shadows."""
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.95, 0.98],
        rgb2=[0.70, 0.76, 0.85],
        width=64,
        height=384,
    )
    spec.add_texture(
        name="checker",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.80, 0.82, 0.84],
        rgb2=[0.68, 0.71, 0.74],
        width=256,
        height=256,
    )
    material = spec.add_material(name="floor", texrepeat=[2, 2], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "checker"
    tops = [terrain.plane_m, *(box.top_m for box in terrain.boxes)]
    for geom, top_m in zip(spec.worldbody.geoms, tops, strict=True):
        geom.material = "floor"
        high = (top_m - min(tops)) / max(max(tops) - min(tops), 1e-9)
        geom.rgba = [*(np.array(PAINT[:3]) * (1.0 - high * (1.0 - np.array(HIGH_GROUND)))), 1.0]
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=LAMP_M,
        dir=[-0.4, 0.25, -0.9],
        diffuse=[0.5, 0.5, 0.5],
        castshadow=True,
    )


def frame_indices(times_s: Vector, fps: float, speed: float) -> Iterator[int]:
    """Yields the indices of the samples to show in a film.

    Args:
        times_s: (n,) rising times of the samples [s].
        fps: pictures per second of the film.
        speed: playback speed as a multiple of real time.
    """
    if len(times_s) == 0:
        return
    count = int((times_s[-1] - times_s[0]) / speed * fps) + 1
    wanted = times_s[0] + np.arange(count) * speed / fps
    yield from (int(i) for i in np.clip(np.searchsorted(times_s, wanted), 0, len(times_s) - 1))


def _open(robot: RobotModel, scenario: Scenario, seed: int, size_px: tuple[int, int]) -> Painter | None:
    platform = gl_platform()
    if platform is None:
        print(NO_GL, file=sys.stderr)
        return None
    return Painter(robot, scenario, seed, platform, size_px=size_px)


def render_gif(
    path: Path,
    robot: RobotModel,
    scenario: Scenario,
    times_s: Vector,
    q: Vector,
    *,
    seed: int = 0,
    fps: float = 20.0,
    speed: float = 1.0,
    size_px: tuple[int, int] = SIZE_PX,
    progress: Callable[[int, int], None] | None = None,
) -> Path | None:
    """Writes a recorded run as an animated GIF that repeats.

    Args:
        path: file to write.
        robot: model of the robot.
        scenario: scenario of the run.
        times_s: (n,) rising times of the samples [s].
        q: (n, nq) postures in pinocchio's convention.
        seed: random seed of the run, for the ground.
        fps: pictures per second of the film.
        speed: playback speed as a multiple of real time; 3 plays the run three times as fast.
        size_px: width and height of the pictures [pixels].
        progress: called before each picture with the number of pictures drawn and their total number.

    Returns:
        The path; None, with one sentence on standard error, if the machine cannot draw.
    """
    painter = _open(robot, scenario, seed, size_px)
    if painter is None:
        return None
    frames: list[Image.Image] = []
    shown = list(frame_indices(times_s, fps, speed))
    for i in shown:
        if progress is not None:
            progress(len(frames), len(shown))
        frames.append(Image.fromarray(painter.draw(times_s[i], q[i])))
    painter.close()
    # All frames share one palette, so that unchanged pixels need not be stored again.
    sample = frames[:: max(1, len(frames) // 8)]
    width_px, height_px = size_px
    strip = Image.new("RGB", (width_px, height_px * len(sample)))
    for index, frame in enumerate(sample):
        strip.paste(frame, (0, index * height_px))
    palette = strip.quantize(GIF_COLOURS, method=Image.Quantize.MEDIANCUT)
    coded = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    path.parent.mkdir(parents=True, exist_ok=True)
    coded[0].save(
        path,
        save_all=True,
        append_images=coded[1:],
        duration=round(1000 / fps),
        loop=0,
        optimize=True,
        disposal=1,
    )
    return path


def render_png(
    path: Path,
    robot: RobotModel,
    scenario: Scenario,
    t_s: float,
    q: Vector,
    *,
    seed: int = 0,
    size_px: tuple[int, int] = SIZE_PX,
) -> Path | None:
    """Writes a picture of one posture as a PNG.

    Args:
        path: file to write.
        robot: model of the robot.
        scenario: scenario of the run.
        t_s: time of the run, for pushes and payloads [s].
        q: (nq,) posture in pinocchio's convention.
        seed: random seed of the run, for the ground.
        size_px: width and height of the picture [pixels].

    Returns:
        The path; None, with one sentence on standard error, if the machine cannot draw.
    """
    painter = _open(robot, scenario, seed, size_px)
    if painter is None:
        return None
    picture = Image.fromarray(painter.draw(t_s, q))
    painter.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
    return path
