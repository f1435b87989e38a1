"""The link to the robot of a plan, and whether this host may command it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from bodies import robot

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run import links
from kilohertz.rt.run.links import judge_host, link_to
from kilohertz.rt.run.lockstep_link import SteppedLink
from kilohertz.rt.run.plan import RunPlan
from kilohertz.sim.scenario import load_scenario


def test_without_an_endpoint_the_robot_is_simulated_here() -> None:
    panda = robot("panda")
    link = link_to(RunPlan("panda"), panda, load_scenario("stand", panda))
    assert isinstance(link, SteppedLink)
    assert link.truth.known
    assert judge_host(RunPlan("panda"), link) is None


@pytest.mark.parametrize(("hardware", "judged"), [(True, [True]), (False, [])])
def test_the_host_is_judged_for_hardware_only(
    monkeypatch: pytest.MonkeyPatch, hardware: bool, judged: list[bool]
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(links, "require_fit_host", lambda allow: asked.append(allow))
    link: Any = SimpleNamespace(hardware=hardware)
    judge_host(RunPlan("panda", allow_no_rt=True), link)
    assert asked == judged


def test_an_unfit_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfit(allow: bool) -> str:
        if not allow:
            raise ConfigError("no PREEMPT_RT")
        return "no PREEMPT_RT"

    monkeypatch.setattr(links, "require_fit_host", unfit)
    link: Any = SimpleNamespace(hardware=True)
    with pytest.raises(ConfigError, match="PREEMPT_RT"):
        judge_host(RunPlan("panda"), link)
    assert judge_host(RunPlan("panda", allow_no_rt=True), link) == "no PREEMPT_RT"
