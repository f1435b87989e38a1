import xml.etree.ElementTree as ET

import pytest

from kilohertz.robots.model.inertia import check_inertias
from kilohertz.robots.model.model_error import ModelFileError

URDF = """<robot name="r"><link name="base"/>
<link name="arm">{}</link>
<joint name="j" type="revolute"><parent link="base"/><child link="arm"/></joint></robot>"""
INERTIAL = (
    '<inertial><mass value="{}"/><inertia ixx="{}" iyy="{}" izz="{}" ixy="0" ixz="0" iyz="0"/></inertial>'
)

CARRIED = (
    '<link name="tool">{}</link><joint type="fixed"><parent link="arm"/><child link="tool"/></joint></robot>'
)


@pytest.mark.parametrize(
    ("inertial", "expected", "mended"),
    [
        (INERTIAL.format(3, 0.09, 0.02, 0.01), "has principal moments 0.01, 0.02, 0.09 kg m^2", 0.04),
        (INERTIAL.format(3, 0.09, 0.09, -0.06), "has a negative principal moment", 0.04),
        (
            INERTIAL.format(3, 0, 0, 0),
            "is moved by a joint but has no moments of inertia",
            0.4 * 3 * 0.0894700**2,
        ),
        ("", "is moved by a joint but has no mass", 0.4e-3 * 0.00620350**2),
    ],
)
def test_an_impossible_inertia_is_refused_or_mended(inertial: str, expected: str, mended: float) -> None:
    text = URDF.format(inertial)
    root = ET.fromstring(text)
    with pytest.raises(ModelFileError) as caught:
        check_inertias(root, text, repair=False)
    assert str(caught.value).startswith(f"link 'arm' (line 2) {expected}")
    assert "repair_inertia: true" in str(caught.value)
    (note,) = check_inertias(root, text, repair=True)
    assert expected in note
    element = root.find("link[@name='arm']/inertial/inertia")
    assert element is not None
    assert [float(element.get(key, "")) for key in ("ixx", "iyy", "izz")] == pytest.approx(
        [mended] * 3, rel=1e-4
    )
    assert check_inertias(root, text, repair=False) == ()


def test_what_rounding_left_of_an_inertia_is_not_called_negative() -> None:
    text = URDF.replace('type="revolute"', 'type="fixed"').format(INERTIAL.format(0.3, -1e-20, 0, 1e-20))
    (note,) = check_inertias(ET.fromstring(text), text, repair=True)
    assert "has moments of inertia that are only rounding errors (-1e-20, 0, 1e-20 kg m^2)" in note


def test_the_moments_of_a_flat_body_may_be_rounded() -> None:
    text = URDF.format(INERTIAL.format(0.01, 8.53333333333e-07, 8.53333333333e-07, 1.70666666667e-06))
    root = ET.fromstring(text)
    assert check_inertias(root, text, repair=False) == ()
    element = root.find("link[@name='arm']/inertial/inertia")
    assert element is not None
    xx, yy, zz = (float(element.get(key, "")) for key in ("ixx", "iyy", "izz"))
    assert xx + yy >= zz
    assert [xx, yy, zz] == pytest.approx([8.53333333e-07, 8.53333333e-07, 1.706666667e-06], rel=1e-8)


def test_nearly_nothing_on_a_fixed_link_is_nothing() -> None:
    text = URDF.replace('type="revolute"', 'type="fixed"').format(INERTIAL.format(1e-7, 3e-22, 3e-22, 5e-22))
    root = ET.fromstring(text)
    assert check_inertias(root, text, repair=False) == ()
    element = root.find("link[@name='arm']/inertial/inertia")
    assert element is not None
    assert set(element.attrib.values()) == {"0"}


def test_a_possible_inertia_and_a_link_that_carries_others_are_left_alone() -> None:
    for inertial in (INERTIAL.format(3, 0.02, 0.02, 0.04), INERTIAL.format(3, 0.02, 0.03, 0.04)):
        assert check_inertias(ET.fromstring(URDF.format(inertial)), "", repair=False) == ()
    text = URDF.format("").replace("</robot>", CARRIED.format(INERTIAL.format(1, 0.02, 0.02, 0.02)))
    assert check_inertias(ET.fromstring(text), text, repair=False) == ()


def test_a_moving_group_of_links_without_mass_or_moments_is_refused() -> None:
    text = URDF.format("").replace("</robot>", CARRIED.format(""))
    with pytest.raises(ModelFileError, match=r"link 'arm' \(line 2\) is moved by a joint but has no mass"):
        check_inertias(ET.fromstring(text), text, repair=False)
    text = URDF.format(INERTIAL.format(2, 0, 0, 0)).replace("</robot>", CARRIED.format(""))
    with pytest.raises(ModelFileError, match=r"link 'arm' .* has no moments of inertia"):
        check_inertias(ET.fromstring(text), text, repair=False)


def test_a_floating_root_needs_moments_and_a_thin_rod_a_third_one() -> None:
    text = URDF.format(INERTIAL.format(1, 0.02, 0.02, 0.02)).replace(
        '<link name="base"/>', f'<link name="base">{INERTIAL.format(5, 0, 0, 0)}</link>'
    )
    assert check_inertias(ET.fromstring(text), text, repair=False) == ()
    with pytest.raises(ModelFileError, match=r"link 'base' \(line 1\) moves freely but has no moments"):
        check_inertias(ET.fromstring(text), text, repair=False, floating=True)
    text = URDF.format(INERTIAL.format(1, 0.02, 0.02, 0))
    with pytest.raises(ModelFileError, match=r"has a principal moment of 0 .* MuJoCo does not accept"):
        check_inertias(ET.fromstring(text), text, repair=False)


def test_a_robot_without_masses_is_refused_even_if_inertias_may_be_mended() -> None:
    links = "".join(f'<link name="l{i}"/>\n' for i in range(4))
    joints = "".join(
        f'<joint name="j{i}" type="revolute"><parent link="l{i}"/><child link="l{i + 1}"/></joint>'
        for i in range(3)
    )
    text = f'<robot name="r">{links}{joints}</robot>'
    with pytest.raises(ModelFileError) as caught:
        check_inertias(ET.fromstring(text), text, repair=True)
    assert str(caught.value).startswith(
        "3 of the 3 links that move have no mass, such as 'l1' (line 2): give each link its mass, centre of "
    )
