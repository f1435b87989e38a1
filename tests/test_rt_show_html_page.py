"""Pages hold plain text, whatever it is, and pictures, and refer to nothing outside."""

from __future__ import annotations

import base64
import re

from matplotlib.figure import Figure

from kilohertz.rt.show.html_page import bullets, download, folded, heading, image, page, paragraph, table

BAD = "<script>alert('x')</script> & \""


def test_text_is_escaped_everywhere() -> None:
    parts = [
        heading(BAD),
        bullets([BAD]),
        paragraph(BAD),
        folded(BAD, "<b>shown</b>"),
        image(BAD, Figure(), BAD),
    ]
    parts += [table([BAD], [{BAD: BAD}]), table([BAD], [{BAD: BAD}], code=[BAD])]
    text = page(BAD, parts)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<b>shown</b>" in text
    assert not re.search(r"(src|href)='(?!data:)", text)


def test_cells_are_short_and_missing_ones_empty() -> None:
    text = table(["a", "b", "c"], [{"a": 1.23456789, "b": None, "c": ["x", 2]}])
    assert "<td>1.235</td><td></td><td>x, 2</td>" in text
    assert table(["a"], []) == "<p>None.</p>"


def test_a_file_is_inside_the_page() -> None:
    link = download("cells.csv", "a,b\n1,2\n", "text/csv", "as CSV")
    found = re.search(r"base64,([^']*)'", link)
    assert found is not None
    assert base64.b64decode(found[1]) == b"a,b\n1,2\n"
