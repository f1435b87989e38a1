import numpy as np

from kilohertz.robots.model.rows import CommandRow, SensorRow


def test_fields_are_views_into_one_block_in_order() -> None:
    row = SensorRow(na=3, n_contacts=2)
    assert row.data.shape == (1 + 1 + 3 * 3 + 3 + 3 + 2,)
    row.data[:] = np.arange(row.data.size)
    found = np.concatenate([getattr(row, name) for name, _ in row.fields])
    np.testing.assert_array_equal(found, row.data)
    row.q[1] = -7.0
    assert -7.0 in row.data


def test_a_copy_shares_nothing_with_its_source() -> None:
    first, second = CommandRow(na=2), CommandRow(na=2)
    first.kp[:] = 5.0
    second.copy_from(first)
    first.kp[:] = 6.0
    np.testing.assert_array_equal(second.kp, [5.0, 5.0])


def test_a_robot_without_contacts_has_an_empty_field() -> None:
    assert SensorRow(na=6, n_contacts=0).contact_force_N.shape == (0,)
