"""Configurations that cannot be used become the one error of the interface; failures stay what they are."""

from __future__ import annotations

import pytest

import kilohertz as khz
from kilohertz.refused import refusing
from kilohertz.robots.config.config_error import ConfigError


def test_a_refusal_is_a_value_error_with_all_its_lines() -> None:
    with pytest.raises(ValueError, match=r"^first\nsecond$") as refusal, refusing():
        raise ConfigError("first", "second")
    assert type(refusal.value) is khz.Refused
    assert refusal.value.__suppress_context__


def test_another_error_is_no_refusal() -> None:
    with pytest.raises(ZeroDivisionError), refusing():
        raise ZeroDivisionError
