"""Each walking mode has the contacts and tasks of single or double support."""

from gaits import WalkingRun


def test_each_mode_has_its_contacts_and_tasks() -> None:
    run = WalkingRun("g1")
    body, modes = run.brain.body, run.walking._modes
    left, right = body.robot.contact_names
    swings = [body.task_index[f"{left}.{what}"] for what in ("position", "orientation")]

    def enabled() -> set[int]:
        return set(body._enabled)

    modes.on_both()
    both = enabled()
    assert (body.arrays.contacts.offset >= 0).all()
    assert not both & set(swings)
    modes.on(1)
    assert (body.arrays.contacts.offset[0], body.arrays.contacts.offset[1]) == (-1, 0)
    assert enabled() - both == set(swings)
    assert both - enabled() == {body.task_index[f"{left}.force"]}
    assert body.task_index[f"{right}.force"] in enabled()
