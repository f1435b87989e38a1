"""The motion service is asked and released; an answer that cannot be read changes nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("cyclonedds")

from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader

from kilohertz.robots.unitree.dds import Dds
from kilohertz.robots.unitree.motion_service import (
    CHECK,
    RELEASE,
    REQUESTS,
    RESPONSES,
    MotionService,
    api_types,
    part,
)

pytestmark = pytest.mark.host
DOMAIN = 62


class Service:
    """A motion service in a thread of its own."""

    def __init__(self) -> None:
        dds = Dds(DOMAIN, "lo")
        request, self.response = api_types()
        self.reader = DataReader(*dds.plain(REQUESTS, request))
        self.writer = DataWriter(*dds.plain(RESPONSES, self.response))
        self.mode, self.code, self.data, self.obeys = "ai", 0, "", True
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.ends.wait(0.005):
            for request in self.reader.take(4):
                if hasattr(request, "header"):  # else: a writer has left
                    self.answer(request.header.identity)

    def answer(self, identity: Any) -> None:
        if identity.api_id == RELEASE and self.obeys:
            self.mode = ""
        header = part(self.response, "header")
        status = part(header, "status")(code=self.code)
        data = self.data or json.dumps({"form": "0", "name": self.mode})
        self.writer.write(
            self.response(header=header(identity=identity, status=status), data=data, binary=[])
        )


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.ends.set()
    made.thread.join()


def test_the_mode_that_controls_the_robot_is_known_and_released(service: Service) -> None:
    asked = MotionService(Dds(DOMAIN, "lo"))
    assert asked.mode is None
    assert asked.wait(CHECK, 20.0)
    assert asked.mode == "ai"
    assert asked.release(20.0)
    assert (asked.mode, service.mode) == ("", "")


def test_a_service_that_does_not_release_is_noticed(service: Service) -> None:
    service.obeys = False
    asked = MotionService(Dds(DOMAIN, "lo"))
    assert asked.wait(CHECK, 20.0)
    assert not asked.release(0.2)
    assert asked.mode == "ai"


@pytest.mark.parametrize(("data", "code"), [("{", 0), ("[]", 0), ('{"name": 3}', 0), ("", 7)])
def test_an_answer_that_cannot_be_read_says_nothing(service: Service, data: str, code: int) -> None:
    service.data, service.code = data, code
    asked = MotionService(Dds(DOMAIN, "lo"))
    assert asked.wait(CHECK, 20.0)
    assert asked.mode is None


def test_nobody_answers() -> None:
    asked = MotionService(Dds(DOMAIN + 1, "lo"))
    assert not asked.wait(CHECK, 0.1)
    assert not asked.poll()
