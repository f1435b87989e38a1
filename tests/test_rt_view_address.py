from __future__ import annotations

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.view.address import LEAST_TOKEN, check_binding, new_token, page_address

TOKEN = "t" * LEAST_TOKEN


@pytest.mark.parametrize(("host", "token"), [("127.0.0.1", None), ("::1", None), ("0.0.0.0", TOKEN)])
def test_loopback_needs_no_token_of_the_users_own_and_any_other_address_does(host, token):
    check_binding(host, token)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_an_address_that_others_reach_is_refused_without_a_token(host):
    with pytest.raises(ConfigError, match="set a token with --token"):
        check_binding(host, None)


@pytest.mark.parametrize("token", ["short", "with a space in it", "semi;colon;semi;colon", "ä" * LEAST_TOKEN])
def test_a_token_that_is_no_secret_or_would_not_survive_an_address_is_refused(token):
    with pytest.raises(ConfigError, match="a token has at least"):
        check_binding("127.0.0.1", token)


def test_a_name_is_no_address_to_bind():
    with pytest.raises(ConfigError, match="not an IP address"):
        check_binding("robot.example.org", TOKEN)


def test_tokens_differ_and_are_fit_for_an_address():
    assert new_token() != new_token()
    check_binding("0.0.0.0", new_token())
    assert page_address("127.0.0.1", 80, "x") == "http://127.0.0.1:80/?token=x"
    assert page_address("::1", 80, "x") == "http://[::1]:80/?token=x"
