from __future__ import annotations

from typing import Any

import pytest
from telemetry_runs import hello_for, rows_for

pytest.importorskip("viser")

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.cockpit import Cockpit, status_text
from kilohertz.rt.view.front_door import open_server

pytestmark = pytest.mark.host


def nominal_pose(name: str) -> list[float]:
    pose: list[float] = rows_for(name, 1)["estimate"]["q"][0].tolist()
    return pose


class FakeSubscriber:
    endpoint = "ipc:///run/toy"

    def __init__(self) -> None:
        self.hello: dict[str, Any] = {}
        self.waiting: list[dict[str, Any]] = []
        self.closed = False

    def receive(self, timeout_s):
        return self.waiting.pop(0) if self.waiting else None

    def close(self):
        self.closed = True


class FakeOperator:
    connected = True
    messages: list[str]

    def __init__(self) -> None:
        self.messages, self.closed, self.hands = [], False, {}

    def release_hands(self):
        self.hands.clear()

    def hold_hand(self, name, target):
        self.hands[name] = target

    def close(self):
        self.closed = True


class Seat:
    """A cockpit whose telemetry, operator and clock are in the hands of the test."""

    def __init__(self) -> None:
        self.server = open_server("127.0.0.1", 0, "0123456789abcdef", "test")
        self.subscriber, self.operators, self.now_s = FakeSubscriber(), [], 0.0
        self.cockpit = Cockpit(self.server, self.subscriber, self._operator, lambda: self.now_s)

    def _operator(self, endpoint):
        self.operators.append((endpoint, FakeOperator()))
        return self.operators[-1][1]

    def receive(self, name: str, *ticks: int, **changes: Any) -> None:
        for tick in ticks:
            rows = rows_for(name, 1)
            rows["tick"] = tick
            self.subscriber.waiting.append(state_message(rows, hello_for(name), 0) | changes)
            self.now_s += 0.3
            self.cockpit.step()

    @property
    def status(self) -> str:
        return self.cockpit._status.content


@pytest.fixture
def seat():
    made = Seat()
    yield made
    made.cockpit.close()
    assert made.subscriber.closed
    assert all(operator.closed for _, operator in made.operators)


@pytest.mark.long
def test_it_waits_for_a_run_and_then_shows_it(seat):
    seat.cockpit.step()
    assert seat.status == "Waiting for a run with telemetry at ipc:///run/toy …"
    seat.subscriber.hello = hello_for("g1")
    seat.receive("g1", 5)
    assert seat.status == "**active** · walk running · t = 0.01 s · live"
    assert seat.operators[0][0] == "ipc:///run/g1-control"


@pytest.mark.long
def test_a_run_that_has_ended_is_told(seat):
    seat.subscriber.hello = hello_for("g1")
    seat.receive("g1", 5)
    seat.now_s += 5.0
    seat.cockpit.step()
    assert "No telemetry for 5 s: the run has ended." in seat.status


@pytest.mark.long
def test_the_past_is_shown_and_the_present_comes_back(seat):
    seat.subscriber.hello = hello_for("g1")
    seat.receive("g1", *range(0, 10_000, 500))
    seat.cockpit._ago.value = 4.0
    seat.cockpit._scrub(None)
    seat.receive("g1", 10_000)
    assert seat.status.endswith("t = 5.50 s · past")
    # The moment stays, while the run goes on.
    seat.receive("g1", 20_000)
    assert seat.status.endswith("t = 5.50 s · past")
    seat.cockpit._ago.value = 0.0
    seat.cockpit._scrub(None)
    seat.receive("g1", 21_000)
    assert seat.status.endswith("t = 21.00 s · live")


@pytest.mark.long
def test_another_run_and_another_robot_begin_anew(seat):
    seat.subscriber.hello = hello_for("g1")
    seat.receive("g1", 5, 6)
    seat.subscriber.hello = hello_for("g1") | {"clock_ns": 7}
    seat.receive("g1", 5)
    assert len(seat.cockpit._history) == 1
    assert seat.operators[0][1].closed
    seat.subscriber.hello = hello_for("panda") | {"clock_ns": 8}
    seat.receive("panda", 5, 6)
    assert [endpoint[11:-8] for endpoint, _ in seat.operators] == ["g1", "g1", "panda"]
    assert seat.status.startswith("**active**")


@pytest.mark.long
def test_hands_get_gizmos_while_they_are_to_be_dragged(seat):
    seat.subscriber.hello = hello_for("g1")
    seat.receive("g1", 5)
    drive = seat.cockpit._drive
    drive._drag.value = True
    seat.receive("g1", 6)
    assert set(drive._gizmos) == {"left_hand", "right_hand"}
    figure = seat.cockpit._scene.figure
    assert tuple(drive._gizmos["left_hand"].position) == pytest.approx(tuple(figure.p_WH[0]))
    # It stays at the hand until it is dragged, and then where it is dragged to.
    q = [1.0, *nominal_pose("g1")[1:]]
    seat.receive("g1", 7, q=q)
    assert drive._gizmos["left_hand"].position[0] == pytest.approx(figure.p_WH[0][0])
    drive._dragged.add("left_hand")
    seat.receive("g1", 8, q=[2.0, *q[1:]])
    assert drive._gizmos["left_hand"].position[0] == pytest.approx(figure.p_WH[0][0] - 1.0)
    assert drive._gizmos["right_hand"].position[0] == pytest.approx(figure.p_WH[1][0])
    drive._drag.value = False
    seat.receive("g1", 9)
    assert not drive._gizmos


@pytest.mark.long
def test_gains_that_cannot_change_are_said_to(seat):
    seat.subscriber.hello = hello_for("g1") | {"live": False}
    seat.receive("g1", 5)
    assert seat.cockpit._gains._draft is None


def test_the_status_names_state_behaviour_and_time():
    values = {"state": "damping", "behaviour": "", "behaviour_state": "", "t_s": 1.234}
    assert status_text(values, frozen=False) == "**damping** · no behaviour · t = 1.23 s · live"
