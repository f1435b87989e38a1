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


def test_a_possible_inertia_and_a_link_that_carries_others_are_left_alone() -> None:
    for inertial in (INERTIAL.format(3, 0.02, 0.02, 0.04), INERTIAL.format(3, 0.02, 0.03, 0.04)):
        assert check_inertias(ET.fromstring(URDF.format(inertial)), "", repair=False) == ()
    carried = (
        '<link name="tool"/><joint type="fixed"><parent link="arm"/><child link="tool"/></joint></robot>'
    )
    text = URDF.format("").replace("</robot>", carried)
    assert check_inertias(ET.fromstring(text), text, repair=False) == ()
