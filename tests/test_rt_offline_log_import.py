"""Import of CSV logs: columns by name and by mapping, refusals with line and remedy, velocities, the file."""

from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.offline.columns import ColumnMap, read_columns
from kilohertz.rt.offline.csv_table import Table
from kilohertz.rt.offline.log_import import header_of, rows_of_table, write_log
from kilohertz.rt.offline.signals import causal_velocity, native_period_s, noise_sd

FILE = Path("log.csv")
OURS = ColumnMap({})


@pytest.fixture(scope="module")
def bolt():
    return RobotModel.load("bolt")


def columns_of(robot, n=60, period_s=0.01):
    """Columns of a robot that moves its joints a little while its base stays level."""
    t = period_s * np.arange(n)
    columns = {"t_s": t}
    for j, name in enumerate(robot.joint_names):
        columns[f"q_{name}"] = robot.q_nominal[7 + j] + 0.1 * np.sin(6 * t + j)
        columns[f"v_{name}"] = 0.6 * np.cos(6 * t + j)
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    up = data.oMf[robot.imu_frame_id].rotation.T @ [0, 0, 9.81]
    for i, axis in enumerate("xyz"):
        columns[f"gyro_{axis}"] = np.zeros(n)
        columns[f"accel_{axis}"] = np.full(n, up[i])
    return columns


def table_of(columns):
    values = np.column_stack(list(columns.values()))
    return Table(FILE, tuple(columns), values, np.arange(2, len(values) + 2))


def refusal(columns, robot, mapping=OURS):
    with pytest.raises(ConfigError) as refused:
        rows_of_table(table_of(columns), mapping, robot)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_columns_in_any_order_become_sensor_rows(bolt):
    columns = columns_of(bolt)
    shuffled = dict(reversed(columns.items()))
    rows = rows_of_table(table_of(shuffled), OURS, bolt).rows
    sensors = rows["sensors"]
    np.testing.assert_array_equal(sensors["t_s"][:, 0], columns["t_s"])
    for j, name in enumerate(bolt.joint_names):
        np.testing.assert_array_equal(sensors["q"][:, j], columns[f"q_{name}"])
        np.testing.assert_array_equal(sensors["v"][:, j], columns[f"v_{name}"])
    assert np.isnan(sensors["tau"]).all()
    assert np.isnan(sensors["contact_force_N"]).all()
    assert np.isnan(rows["truth"]["p_WT"]).all()


def broken(columns, name, change):
    return {**columns, name: change(np.array(columns[name]))}


def at(row, value):
    def change(values):
        values[row] = value
        return values

    return change


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("t_s", at(7, 0.02), "log.csv:9:1: time goes back"),
        ("t_s", at(7, 0.06), "log.csv:9:1: time stands still"),
        ("t_s", lambda t: 1e3 * t, "as if in ms"),
        ("t_s", lambda t: 1e6 * t, "as if in us"),
        ("t_s", lambda t: 1e9 * t, "as if in ns"),
        ("t_s", lambda t: 1e-3 * t, "faster than 5000 Hz"),
        ("q_FL_HFE", at(5, np.nan), "log.csv:7:1: q_FL_HFE is empty or NaN"),
        ("accel_z", at(5, np.nan), "log.csv:7:1: accel_z is empty or NaN"),
        ("v_FL_HFE", at(5, np.nan), "log.csv:7:1: v_FL_HFE is empty or NaN"),
        ("v_FL_HFE", lambda v: -v, "opposite sign"),
        ("v_FL_HFE", lambda v: np.rad2deg(v), "as if in deg/s"),
        ("gyro_x", lambda v: v + 40.0, "as if in deg/s"),
    ],
)
def test_wrong_values_are_refused_with_line_and_remedy(bolt, name, change, sentence):
    assert sentence in refusal(broken(columns_of(bolt), name, change), bolt)


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [(1 / 9.81, "as if in g and"), (1e3 / 9.81, "as if in mg and"), (0.0, "gravity were removed"),
     (-1.0, "points down"), (5.0, "instead of about 9.81")],
)  # fmt: skip
def test_an_accelerometer_in_another_unit_is_refused(bolt, factor, sentence):
    columns = columns_of(bolt)
    for axis in "xyz":
        columns[f"accel_{axis}"] = factor * columns[f"accel_{axis}"]
    assert sentence in refusal(columns, bolt)


def test_an_imu_that_sent_nothing_is_refused_with_its_line(bolt):
    columns = columns_of(bolt)
    for axis in "xyz":
        columns[f"accel_{axis}"][7:9] = 0.0
    assert "log.csv:9:1: accel is exactly 0" in refusal(columns, bolt)


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        (1.0, 0.0, "only 0 or 1, as if they told whether a contact is closed"),
        (0.004, 0.009, "as if in kN: give force_CONTACT: {column: NAME, scale: 1000}"),
        (-8.0, -5.0, "as if downwards: give force_CONTACT: {column: NAME, scale: -1}"),
    ],
)
def test_contact_forces_that_are_states_in_kilonewtons_or_downwards_are_refused(bolt, left, right, sentence):
    columns = columns_of(bolt)
    for name, force in zip(bolt.contact_names, (left, right), strict=True):
        columns[f"force_{name}"] = np.full(60, force)
    assert sentence in refusal(columns, bolt)


@pytest.mark.parametrize(
    ("place", "angle", "sentence"),
    [(1e3, 1.0, "as if in mm"), (1.0, 180 / np.pi, "truth turns 57 times as fast as the gyro")],
)
def test_a_truth_in_millimetres_or_degrees_is_refused(bolt, place, angle, sentence):
    columns = columns_of(bolt)
    columns["gyro_z"] += 0.05
    for i, name in enumerate(("x", "y", "z")):
        columns[f"truth_{name}"] = (i == 0) * place * 0.1 * columns["t_s"]
    for name in ("roll", "pitch", "yaw"):
        columns[f"truth_{name}"] = (name == "yaw") * angle * 0.05 * columns["t_s"]
    assert sentence in refusal(columns, bolt)


def test_positions_in_degrees_are_refused(bolt):
    columns = columns_of(bolt)
    for name in bolt.joint_names:
        columns[f"q_{name}"] = np.rad2deg(columns[f"q_{name}"])
    assert "as if in degrees" in refusal(columns, bolt)


def test_a_moving_joint_without_position_is_refused_by_name(bolt):
    columns = columns_of(bolt)
    columns["q_FL_HEF"] = columns.pop("q_FL_HFE")
    assert "has no column 'q_FL_HFE'" in refusal(columns, bolt)
    assert "did you mean 'q_FL_HEF'?" in refusal(columns, bolt)


def test_velocities_that_are_missing_are_differentiated_causally(bolt):
    columns = columns_of(bolt, n=200)
    true = np.column_stack([columns.pop(f"v_{name}") for name in bolt.joint_names])
    found = rows_of_table(table_of(columns), OURS, bolt)
    v = found.rows["sensors"]["v"]
    assert np.sqrt(((v - true)[30:] ** 2).mean()) < 0.06
    assert any("differentiated" in note for note in found.notes)
    cut = {name: values[:100] for name, values in columns.items()}
    t_s, q = cut["t_s"], np.column_stack([cut[f"q_{name}"] for name in bolt.joint_names])
    both = [causal_velocity(t_s[:n], q[:n], 15.0, 0.03)[:40] for n in (60, 100)]
    np.testing.assert_allclose(*both, atol=0.02)


def test_velocities_pass_through_a_gap():
    t = np.delete(0.01 * np.arange(300), np.arange(100, 117))
    q = np.column_stack([np.sin(2 * t)])
    v = causal_velocity(t, q, 15.0, 0.03)[:, 0]
    assert np.abs(v - 2 * np.cos(2 * t))[20:].max() < 0.2


def test_noise_is_measured_beside_motion_and_held_samples():
    rng = np.random.default_rng(1)
    t = 0.01 * np.arange(2000)
    x = np.column_stack([np.sin(3 * t), np.zeros_like(t)]) + [0.02, 0.3] * rng.normal(size=(2000, 2))
    np.testing.assert_allclose(noise_sd(t, x), [0.02, 0.3], rtol=0.15)
    fine = 0.002 * np.arange(10000)
    held = np.repeat(x, 5, axis=0)
    np.testing.assert_allclose(noise_sd(fine, held), [0.02, 0.3], rtol=0.15)
    assert native_period_s(fine, held) == pytest.approx(0.01)


MAPPING = """
t_s: {column: stamp_ms, scale: 0.001}
q_JOINT: pos.JOINT
q_FL_HFE: {column: thigh_deg, scale: 0.017453292519943295, offset: 0.1}
gyro: [wx, wy, wz]
force_CONTACT: load_CONTACT
"""


def test_columns_are_mapped_by_name_pattern_and_list(bolt, tmp_path):
    file = tmp_path / "columns.yaml"
    file.write_text(MAPPING)
    columns = columns_of(bolt)
    theirs = {
        name: values
        for name, values in columns.items()
        if name[:2] not in ("q_", "t_") and "gyro" not in name
    }
    theirs["stamp_ms"] = 1e3 * columns["t_s"]
    for name in bolt.joint_names:
        theirs[f"pos.{name}"] = columns[f"q_{name}"]
    theirs["thigh_deg"] = np.rad2deg(theirs.pop("pos.FL_HFE") - 0.1)
    for i, axis in enumerate("xyz"):
        theirs[f"w{axis}"] = columns[f"gyro_{axis}"] + i
    theirs["load_left_foot"] = np.full(60, 7.0)
    mapping = read_columns(file, bolt.joint_names, bolt.contact_names)
    ours = rows_of_table(table_of(columns), OURS, bolt).rows["sensors"]
    mapped = rows_of_table(table_of(theirs), mapping, bolt).rows["sensors"]
    for name in ("t_s", "q", "v"):
        np.testing.assert_allclose(mapped[name], ours[name], atol=1e-12)
    assert mapped["gyro"][3].tolist() == [0.0, 1.0, 2.0]
    assert mapped["contact_force_N"][:, 0].tolist() == [7.0] * 60
    assert np.isnan(mapped["contact_force_N"][:, 1]).all()
    del theirs["thigh_deg"]
    assert "has no column 'thigh_deg'" in refusal(theirs, bolt, mapping)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("q_JIONT: x_JOINT", "did you mean 'q_JOINT'?"),
        ("q_JOINT: x", "should contain JOINT"),
        ("gyro: [a, b]", "takes no list of 2"),
        ("gyro: a", "should be a list of three"),
        ("t_s: {column: t, scale: 0}", "scale should not be 0"),
        ("t_s: {column: t, factor: 2}", "not 'factor'"),
        ("t_s: {column: t, scale: yes}", "should be numbers"),
        ("t_s: 5", "should be the name of a column"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(bolt, tmp_path, line, sentence):
    file = tmp_path / "columns.yaml"
    file.write_text(f"# theirs\n{line}\n")
    with pytest.raises(ConfigError) as refused:
        read_columns(file, bolt.joint_names, bolt.contact_names)
    assert f"{file}:2:" in str(refused.value)
    assert sentence in str(refused.value)


def test_the_log_holds_the_same_rows_and_is_no_run(bolt, tmp_path):
    pytest.importorskip("mcap")
    found = rows_of_table(table_of(columns_of(bolt)), OURS, bolt)
    path = tmp_path / "log.mcap"
    for _ in range(2):
        write_log(path, header_of(bolt, "bolt", FILE, found), found.rows)
    with LogReader(path) as reader:
        rows = np.concatenate(list(reader.blocks()))
        assert rows.tobytes() == found.rows.tobytes()
        assert reader.header.robot == "bolt"
        with pytest.raises(ConfigError, match="was imported"):
            reader.require_run()


def test_names_with_a_prefix_are_recognised_and_the_mapping_is_given(bolt):
    columns = {f"leg/{name[2:]}.pos" if name[:2] == "q_" else name: v for name, v in columns_of(bolt).items()}
    assert "give q_JOINT: leg/JOINT.pos in a --columns file, if 'leg/FL_HAA.pos'" in refusal(columns, bolt)
    columns["time"] = columns.pop("t_s")
    assert "(is it 'time'?)" in refusal(columns, bolt)


def test_forces_of_several_sensors_are_added(bolt, tmp_path):
    file = tmp_path / "columns.yaml"
    file.write_text(
        "force_CONTACT: {column: [CONTACT_a, CONTACT_b], scale: 2}\nforce_left_foot: [la, lb, lc]\n"
    )
    columns = columns_of(bolt)
    cells = {"la": 1.0, "lb": 2.0, "lc": 4.0, "right_foot_a": 1.5, "right_foot_b": 1.0}
    columns |= {name: np.full(60, force) for name, force in cells.items()}
    mapping = read_columns(file, bolt.joint_names, bolt.contact_names)
    rows = rows_of_table(table_of(columns), mapping, bolt).rows
    assert rows["sensors"]["contact_force_N"][5].tolist() == [7.0, 5.0]
    del columns["lc"]
    assert "has no column 'lc'" in refusal(columns, bolt, mapping)


def test_a_true_orientation_may_be_a_quaternion_of_length_one(bolt):
    columns = columns_of(bolt)
    rpy = np.stack([0.1 * np.ones(60), 0.2 * columns["t_s"], np.linspace(3.0, 3.5, 60)], axis=1)
    columns["gyro_z"] += 0.8
    quats = np.array([pin.Quaternion(pin.rpy.rpyToMatrix(*row)).coeffs() for row in rpy])
    columns |= dict(zip(("truth_qx", "truth_qy", "truth_qz", "truth_qw"), quats.T, strict=True))
    found = rows_of_table(table_of(columns), OURS, bolt).rows["truth"]["rpy_WT"]
    np.testing.assert_allclose(found, rpy, atol=1e-9)
    columns["truth_qz"] = np.zeros(60)
    assert "instead of 1: check the columns" in refusal(columns, bolt)


def test_a_refusal_may_be_accepted_and_the_log_says_so(bolt):
    columns = columns_of(bolt)
    for axis in "xyz":
        columns[f"accel_{axis}"] = -columns[f"accel_{axis}"]
    assert refusal(columns, bolt).endswith("import it with --accept accel-direction")
    found = rows_of_table(table_of(columns), OURS, bolt, ["accel-direction"])
    assert found.notes[0].startswith("accepted accel-direction, line 2: accel points down")
    notes = header_of(bolt, "bolt", FILE, found).scenario["notes"]
    assert notes == list(found.notes)


def test_a_long_gap_is_told(bolt):
    columns = columns_of(bolt)
    columns["t_s"] += 3.0 * (np.arange(60) > 30)
    assert rows_of_table(table_of(columns), OURS, bolt).notes[0] == (
        "1 gaps in time; the longest is 3.01 s, before line 33"
    )


def test_a_pose_from_outside_is_taken_where_it_comes_and_the_yaw_may_be_alone(bolt):
    columns = columns_of(bolt)
    poses = np.full((60, 4), np.nan)
    poses[::10] = (1.0, 2.0, 0.4, 0.3)
    columns |= dict(zip(("outside_x", "outside_y", "outside_z", "outside_yaw"), poses.T, strict=True))
    imported = rows_of_table(table_of(columns), OURS, bolt)
    np.testing.assert_array_equal(imported.rows["outside"]["p_VB"], poses[:, :3])
    np.testing.assert_array_equal(imported.rows["outside"]["rpy_VB"][:, 2], poses[:, 3])
    assert np.isnan(imported.rows["outside"]["rpy_VB"][:, :2]).all()
    assert not imported.notes


def test_angles_from_outside_in_degrees_and_a_roll_without_pitch_are_refused(bolt):
    columns = columns_of(bolt) | {"outside_yaw": np.full(60, 90.0)}
    assert "outside angles exceed a turn" in refusal(columns, bolt)
    columns = columns_of(bolt) | {"outside_roll": np.zeros(60), "outside_yaw": np.zeros(60)}
    assert "no column 'outside_pitch'" in refusal(columns, bolt)
