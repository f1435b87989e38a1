"""The report is one page without links to others, whatever the log contains."""

import csv
import io

from matplotlib.figure import Figure

from kilohertz.rt.show.why_report import film_beside, interventions_csv, report_html
from kilohertz.rt.why.interventions import COLUMNS

ENTRY = {**dict.fromkeys(COLUMNS), "t_s": 0.5, "what": "torque limit", "where": "a,b", "value": 35.0}
FIGURES = {"story": ["robot <script>", "cause: a & b"], "interventions": [ENTRY]}


def page(film=None):
    return report_html(
        FIGURES, [{"tick": 3, "margins": ["x", "y"]}], {"fell": True}, {"plot": Figure()}, film
    )


def test_text_is_escaped():
    text = page()
    assert "<script>" not in text
    assert "robot &lt;script&gt;" in text
    assert "cause: a &amp; b" in text


def test_plots_and_film_are_inside(tmp_path):
    film = tmp_path / "film.gif"
    film.write_bytes(b"GIF89a")
    text = page(film)
    assert "data:image/png;base64," in text
    assert "data:image/gif;base64," in text


def test_a_film_with_the_name_of_the_log_is_preferred(tmp_path):
    log = tmp_path / "run.mcap"
    assert film_beside(log) is None
    (tmp_path / "other.mp4").write_bytes(b"")
    assert film_beside(log).name == "other.mp4"
    (tmp_path / "run.webm").write_bytes(b"")
    assert film_beside(log).name == "run.webm"


def test_interventions_are_csv():
    rows = list(csv.DictReader(io.StringIO(interventions_csv([ENTRY]))))
    assert rows[0]["where"] == "a,b"
    assert tuple(rows[0]) == COLUMNS


def test_a_run_without_interventions_says_so():
    text = report_html({**FIGURES, "interventions": []}, [], None, {}, None)
    assert "<p>None.</p>" in text
