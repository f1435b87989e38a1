"""The table of logs."""

from rich.console import Console

from kilohertz.rt.show.log_list_screen import print_logs

ENTRY = {
    "file": "/logs/g1-push-1.mcap",
    "bytes": 7_100_000,
    "started": "2026-11-30T17:16:44",
    "robot": "g1",
    "scenario": "push",
    "seed": 0,
    "pace": "timer",
    "first_tick": 0,
    "ended": "active",
    "duration_s": 4.0,
    "fell": False,
    "fell_at_s": None,
}


def test_each_log_has_a_row_with_its_end():
    console = Console(width=120, record=True, highlight=False)
    nothing = {**dict.fromkeys(ENTRY), "file": "/logs/x.mcap", "bytes": 3, "ended": "no log: damaged"}
    fallen = {**ENTRY, "fell": True, "fell_at_s": 2.913, "first_tick": 1000}
    print_logs(console, [ENTRY, fallen, nothing])
    text = console.export_text()
    assert "g1-push-1.mcap" in text
    assert "real time" in text
    assert " done " in text
    assert "active" not in text
    assert "fell at 2.91 s (from tick 1000 on)" in text
    assert "no log: damaged" in text
