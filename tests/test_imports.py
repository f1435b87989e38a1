"""What is not needed is not loaded: MuJoCo for hardware, the developers' measurements for users."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kilohertz.rt.run.background_server import served
from kilohertz.rt.run.session import RunPlan


def run_fresh(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.long
@pytest.mark.host
def test_a_run_against_a_robot_elsewhere_loads_no_mujoco() -> None:
    program = (
        "import sys; from kilohertz.rt.cli.main import main; from kilohertz.rt.run.session import *;"
        "session = Session(RunPlan('ur5', 'stand', 0.05, endpoint=sys.argv[1], lockstep=True));"
        "result = session.run(); assert result.exit_code == 0, result.summary;"
        "print([name for name in sys.modules if 'mujoco' in name])"
    )
    with served(RunPlan("ur5", "stand")) as endpoint:
        assert run_fresh(program, endpoint) == "[]"


@pytest.mark.long
@pytest.mark.host
def test_a_controller_of_a_users_own_loop_loads_no_mujoco() -> None:
    program = (
        "import sys; import kilohertz as khz; controller = khz.Controller('g1');"
        "controller.command('walk', velocity_m_s=[0.2, 0.0]);"
        "print([name for name in sys.modules if 'mujoco' in name])"
    )
    assert run_fresh(program) == "[]"


@pytest.mark.long
@pytest.mark.host
def test_a_simulation_by_the_command_loads_no_measurement_of_developers() -> None:
    program = (
        "import sys; from kilohertz.rt.cli.main import main\n"
        "sys.argv = ['khz', 'sim', 'panda', '--scenario', 'stand', '--duration', '0.05']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "rooms = ('kilohertz.rt.bench', 'kilohertz.rt.faults')\n"
        "print([name for name in sys.modules if name.startswith(rooms)], file=sys.stderr)\n"
        "assert not [name for name in sys.modules if name.startswith(rooms)]\n"
    )
    run_fresh(program)
