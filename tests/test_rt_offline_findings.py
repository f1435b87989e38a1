"""Findings of a log from elsewhere: refused by name, accepted by name, and written in its notes."""

from pathlib import Path

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.offline.csv_table import Table
from kilohertz.rt.offline.findings import Findings, accepted_findings

TABLE = Table(Path("log.csv"), ("t_s",), np.zeros((3, 1)), np.arange(2, 5))


def test_a_finding_is_refused_with_its_line_and_the_option_that_accepts_it():
    with pytest.raises(ConfigError, match=r"^log.csv:3:1: gyro is late; if .* with --accept imu-time$"):
        Findings(TABLE).refuse("imu-time", 1, "gyro is late")


def test_an_accepted_finding_becomes_a_note_and_others_still_refuse():
    findings = Findings(TABLE, accepted_findings(["imu-time", "gyro-axes"]))
    findings.refuse("imu-time", 1, "gyro is late")
    with pytest.raises(ConfigError):
        findings.refuse("joint-zero", 1, "soles are not parallel")
    first, second = findings.finish()
    assert first == "accepted imu-time, line 3: gyro is late"
    assert second.startswith("--accept gyro-axes was not needed")


def test_a_misspelt_finding_is_refused():
    with pytest.raises(ConfigError, match=r"takes no 'imu-tiem' .did you mean 'imu-time'"):
        accepted_findings(["imu-tiem"])
