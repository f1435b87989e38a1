"""A scenario file says what it may say, and nothing else."""

import copy
import json
from typing import Any

import pytest

from kilohertz.controller.behaviours.registry import load_behaviours
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import check_data, load_yaml
from kilohertz.sim.scenario_schema import (
    DEFAULT_NOISE,
    Noise,
    Plant,
    Scenario,
    scenario_type,
    solid_ball_inertia,
)

SCHEMA = scenario_type({name: kind.Parameters for name, kind in load_behaviours().items()})
WHOLE: dict[str, Any] = {
    "name": "walk-and-push",
    "duration_s": 12,
    "ground": {"kind": "slope", "pitch_deg": 5, "roll_deg": 0, "friction": 0.8},
    "plant": {"joint_friction_Nm": 0.3, "joint_damping_Nms": 0.1, "model_error": 0.05, "com_error_m": 0.005},
    "commands": [
        {"at_s": 0, "stand": {}},
        {
            "at_s": 2,
            "walk": {
                "velocity_m_s": [0.4, 0.0],
                "yaw_rate_rad_s": 0.1,
                "hands": {
                    "left_hand": {"p_BH_m": [0.3, 0.1, 0.1], "rpy_BH_rad": [0, 0, 0]},
                    "right_hand": {"p_WH_m": [1, 0, 1]},
                },
            },
        },
        {"at_s": 3, "squat": {"depth_m": 0.1, "period_s": 2}},
        {"at_s": 4, "sway": {"amplitude_m": 0.03, "period_s": 2, "axis": "y"}},
        {"at_s": 5, "reach": {"hand": "right_hand", "p_WH_m": [0.3, 0, 1], "rpy_WH_rad": [0, 0, 0]}},
        {"at_s": 6, "circle": {"hand": "right_hand", "radius_m": 0.1, "period_s": 4, "plane": "yz"}},
        {"at_s": 8, "footsteps": {"steps": [{"foot": "left_foot", "p_SF_m": [0.2, 0.1, 0]}]}},
        {"at_s": 9, "damp": {}},
    ],
    "events": [
        {"at_s": 5, "push": {"link": "torso_link", "impulse_Ns": [0, 8, 0], "duration_s": 0.1}},
        {"at_s": 6, "payload": {"link": "torso_link", "mass_kg": 5, "p_LP_m": [0.1, 0, 0.2]}},
    ],
    "sensors": {"noise": {"gyro_rad_s": 0.01}, "delay_ms": 2},
    "estimator": "truth",
}


@pytest.fixture
def load(tmp_path):
    def from_data(data: Any) -> Scenario:
        path = tmp_path / "s.yaml"
        # JSON is YAML; one key a line, so that a line names a key.
        path.write_text(json.dumps(data, indent=1))
        return load_yaml(path, SCHEMA)

    return from_data


def changed(loc: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data = copy.deepcopy(WHOLE)
    inner: Any = data
    for step in loc[:-1]:
        inner = inner[step]
    inner[loc[-1]] = value
    return data


def test_everything_a_file_may_say_is_understood(load):
    scenario = load(WHOLE)
    kinds = [command.kind for command in scenario.commands]
    assert kinds == ["stand", "walk", "squat", "sway", "reach", "circle", "footsteps", "damp"]
    assert scenario.commands[1].params == {
        "velocity_m_s": (0.4, 0.0),
        "yaw_rate_rad_s": 0.1,
        "hands": {
            "left_hand": {"p_BH_m": (0.3, 0.1, 0.1), "rpy_BH_rad": (0.0, 0.0, 0.0)},
            "right_hand": {"p_WH_m": (1.0, 0.0, 1.0)},
        },
    }
    assert scenario.commands[0].params == {}
    assert scenario.sensors.noise == Noise(gyro_rad_s=0.01)
    assert scenario.plant.model_error == 0.05


def test_what_is_left_out_has_a_default(load):
    scenario = load({"name": "short", "duration_s": 1})
    assert scenario.ground.kind == "flat"
    assert scenario.plant.joint_friction_Nm == 0.2
    assert scenario.plant.joint_damping_Nms == 0.05
    assert scenario.sensors.delay_ms == 2.0
    assert scenario.sensors.noise == DEFAULT_NOISE
    assert scenario.estimator == "default"


def test_names_stand_for_plants_and_noises(load):
    scenario = load({"name": "x", "duration_s": 1, "plant": "exact", "sensors": {"noise": "none"}})
    assert scenario.plant == Plant()
    assert scenario.sensors.noise == Noise()


def test_a_behaviour_without_values_may_be_empty(load):
    assert (
        load({"name": "x", "duration_s": 1, "commands": [{"at_s": 0, "damp": None}]}).commands[0].kind
        == "damp"
    )


@pytest.mark.parametrize(
    ("loc", "value", "sentence"),
    [
        (("name",), "", "name: should not be empty"),
        (("name",), "two\nlines", "name: should be one line"),
        (("duration_s",), 0, "duration_s: should be greater than 0"),
        (("duration_s",), "long", "duration_s: should be a number"),
        (("ground", "kind"), "flatt", "'flatt' (did you mean 'flat'?)"),
        (("ground", "friction"), -0.1, "ground.friction: should be greater than 0"),
        (("ground", "pitch_deg"), 45, "ground.pitch_deg: should be at most 30"),
        (("ground", "height_m"), 1, "ground.height_m: is not a known key"),
        (("plant",), "defualt", "plant: should be default, exact or a map"),
        (("plant",), "defualt", "(did you mean 'default'?)"),
        (("plant", "model_error"), 2, "plant.model_error: should be at most 0.5"),
        (("plant", "com_error_m"), -1, "plant.com_error_m: should be at least 0"),
        (("commands", 0, "at_s"), -1, "commands[0].at_s: should be at least 0"),
        (("commands", 1, "walk", "velocity_m_s"), [1], "commands[1].walk.velocity_m_s"),
        (("commands", 6, "footsteps", "steps"), [], "commands[6].footsteps.steps: should have at least 1"),
        (("commands", 6, "footsteps", "steps", 0, "p_SF_m"), [1, 2], "commands[6].footsteps.steps[0].p_SF_m"),
        (("commands", 1, "walk", "hands"), {"left_hand": {}}, "exactly one of p_BH_m and p_WH_m"),
        (
            ("commands", 1, "walk", "hands", "right_hand", "rpy_BH_rad"),
            [0, 0, 0],
            "place and orientation in the same frame",
        ),
        (("commands", 1, "stand"), {}, "it has stand and walk"),
        (("commands", 1), {"at_s": 1}, "exactly one behaviour of "),
        (("commands", 1), {"at_s": 1, "wlak": {}}, "commands[1].wlak: is not a known key"),
        (("commands", 2, "squat", "depth_m"), -0.1, "commands[2].squat.depth_m: should be greater than 0"),
        (("commands", 2, "squat", "period_s"), 0, "commands[2].squat.period_s: should be greater than 0"),
        (("commands", 3, "sway", "axis"), "z", "commands[3].sway.axis: should be 'x' or 'y'"),
        (("commands", 4, "reach", "offset_m"), [0, 0, 1], "exactly one of p_WH_m and offset_m"),
        (("commands", 4, "reach", "p_WH_m"), [0, 0], "commands[4].reach.p_WH_m"),
        (("commands", 5, "circle", "plane"), "zz", "commands[5].circle.plane"),
        (("events", 0, "push", "impulse_Ns"), 8, "events[0].push.impulse_Ns: should be a list"),
        (("events", 0, "push", "duration_s"), 0, "events[0].push.duration_s: should be greater than 0"),
        (("events", 0, "payload"), {"link": "a", "mass_kg": 1}, "it has push and payload"),
        (("events", 1, "payload", "mass_kg"), -1, "events[1].payload.mass_kg: should be greater than 0"),
        (("sensors", "noise"), "none at all", "sensors.noise: should be default, none or a map"),
        (("sensors", "delay_ms"), 1.5, "sensors.delay_ms: should be a whole number of milliseconds"),
        (("sensors", "delay_ms"), -1, "sensors.delay_ms: should be at least 0"),
        (("sensors", "encoder_rate_Hz"), 2000, "sensors.encoder_rate_Hz: should be at most 1000"),
        (("sensors", "velocity_from"), "encoders", "(did you mean 'encoder'?)"),
        (("sensors", "imu_rate_Hz"), 0, "sensors.imu_rate_Hz: should be at least 1"),
        (("sensors", "imu_rpy_rad"), 0.1, "sensors.imu_rpy_rad: should be a list"),
        (("sensors", "gyro_range_rad_s"), 0, "sensors.gyro_range_rad_s: should be greater than 0"),
        (("sensors", "accel_range_m_s2"), 5, "sensors.accel_range_m_s2: should be at least 10"),
        (("sensors", "drop_fraction"), 1, "sensors.drop_fraction: should be at most 0.9"),
        (("sensors", "jitter_ms"), -1, "sensors.jitter_ms: should be at least 0"),
        (("estimator",), "truht", "(did you mean 'truth'?)"),
    ],
)
def test_each_field_can_be_wrong_and_is_named_with_its_line(load, loc, value, sentence):
    with pytest.raises(ConfigError) as caught:
        load(changed(loc, value))
    message = str(caught.value)
    assert sentence in message
    assert "s.yaml:" in message.splitlines()[0]


@pytest.mark.parametrize(
    ("loc", "misspelt"),
    [
        (("duration_s",), "duraton_s"),
        (("plant", "joint_friction_Nm"), "joint_friction"),
        (("commands", 1, "walk", "yaw_rate_rad_s"), "yaw_rate"),
        (("events", 1, "payload", "mass_kg"), "mass"),
        (("sensors", "noise", "gyro_rad_s"), "gyro_rads"),
        (("ground", "pitch_deg"), "pitch"),
    ],
)
def test_a_misspelt_key_is_answered_with_the_right_one(load, loc, misspelt):
    data = copy.deepcopy(WHOLE)
    inner: Any = data
    for step in loc[:-1]:
        inner = inner[step]
    inner[misspelt] = inner.pop(loc[-1])
    with pytest.raises(ConfigError) as caught:
        load(data)
    assert f"is not a known key (did you mean '{loc[-1]}'?)" in str(caught.value)


def test_all_problems_are_told_at_once(load):
    data = changed(("duration_s",), -1)
    data["estimator"] = "gps"
    data["events"][0]["at_s"] = -1
    with pytest.raises(ConfigError) as caught:
        load(data)
    assert len(str(caught.value).splitlines()) == 3


def test_a_run_starts_standing_and_in_order(load):
    data = {"name": "x", "duration_s": 9, "commands": [{"at_s": 5, "damp": {}}, {"at_s": 2, "stand": {}}]}
    scenario = load(data).in_order()
    assert [(command.at_s, command.kind) for command in scenario.commands] == [
        (0.0, "stand"),
        (2.0, "stand"),
        (5.0, "damp"),
    ]


def test_a_shorter_run_leaves_out_what_comes_after_its_end(load):
    scenario = load(WHOLE).with_duration(5.5)
    assert scenario.duration_s == 5.5
    assert scenario.commands[-1].kind == "reach"
    assert [event.at_s for event in scenario.events] == [5.0]


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_no_run_without_a_duration(load, duration_s):
    with pytest.raises(ValueError, match="longer than 0 s"):
        load(WHOLE).with_duration(duration_s)


def test_a_ball_of_lead_of_10_kg_is_about_a_hand_wide():
    # r^2 = 5/2 I/m; 10 kg of lead are 0.88 litres.
    assert (2.5 * solid_ball_inertia(10.0) / 10.0) ** 0.5 == pytest.approx(0.0595, rel=0.01)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sensors", {"noise": {"gyro_rad_s": 1e300}}),
        ("plant", {"joint_friction_Nm": 1e300, "joint_damping_Nms": 0.0}),
        ("events", [{"at_s": 0, "payload": {"link": "trunk", "mass_kg": 1e300}}]),
        ("events", [{"at_s": 0, "push": {"link": "trunk", "impulse_Ns": [0, -1e300, 0]}}]),
    ],
)
def test_a_value_with_which_the_simulation_would_overflow_is_refused(key, value):
    with pytest.raises(ConfigError, match=r"should be at (most|least) -?1e\+?06"):
        check_data({"name": "x", "duration_s": 1, key: value}, Scenario)
