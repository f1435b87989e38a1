"""Defines the fault table: each fault, the required reaction, its injection and the pass criterion."""

from __future__ import annotations

from dataclasses import dataclass

from kilohertz.robots.config.config_error import ConfigError, did_you_mean


@dataclass(frozen=True)
class Fault:
    """One row of the fault table, in words.

    Attributes:
        name: number of the fault, such as F01.
        fault: what fails.
        reaction: how the system must react.
        injection: how the fault is injected.
        figure: criterion for passing.
    """

    name: str
    fault: str
    reaction: str
    injection: str
    figure: str


def find_fault(name: str) -> Fault:
    """Returns the fault of a name; upper and lower case are equal.

    Raises:
        ConfigError: there is no fault of this name.
    """
    by_name = {fault.name: fault for fault in FAULTS}
    if name.upper() not in by_name:
        raise ConfigError(f"there is no fault '{name}'{did_you_mean(name.upper(), by_name)}")
    return by_name[name.upper()]


FAULTS = (
    Fault(
        "F01",
        "command link lost",
        "robot side: holds the last torque for at most 3 ms, fades the feed-forward torque out until "
        "20 ms, is in damping at 20 ms; damping is latched",
        "proxy that drops all commands; tc netem loss 100%",
        "damping within 22 ms in 1000 of 1000 cases; torque steps <= the guard's limit",
    ),
    Fault(
        "F02",
        "state link lost",
        "controller: predicts for at most 10 ms, then commands damping and stops integrators; exit status 4",
        "proxy that drops all states, but no commands",
        "damping commanded within 12 ms; no reconnection without re-arming",
    ),
    Fault(
        "F03",
        "NaN or Inf in any sensor field",
        "the sample is rejected before estimator and QP, and predicted instead; damping after 3 in a row",
        "each field in turn, 1e5 packets",
        "0 non-finite outputs; damping within 5 ms; the QP is solved on the first clean sample (guards 0.1)",
    ),
    Fault(
        "F04",
        "frozen sensor (time stamp advances, value does not)",
        "detected; degraded event or damping",
        "last encoder or IMU value is repeated",
        "detected within 50 ms in motion, within 500 ms at rest",
    ),
    Fault(
        "F05",
        "encoder jump or bit flip",
        "changes larger than v_max*dt + margin are rejected; damping after 3 in a row",
        "+0.3 rad, sign flip, 2*pi wrap",
        "0 torque steps larger than the guard's limit",
    ),
    Fault(
        "F06",
        "duplicate, reordered, late packets",
        "only rising sequence numbers are accepted; packets more than 2 ms late are dropped",
        "proxy that duplicates or reorders 10 % / 1 % of the packets",
        "bit-identical to the undisturbed run for duplicates and reordering inside the window",
    ),
    Fault(
        "F07",
        "clock jump",
        "rt uses the monotonic clock only; after a jump of the robot's time it resynchronises, with "
        "dt limited to 0.5 ... 3 ms",
        "libfaketime or settimeofday +-1 h; robot's time stamp +-1 s",
        "0 deadline misses; dt error < 50 us; no torque step",
    ),
    Fault(
        "F08",
        "QP infeasible",
        "ladder in the same tick: softened limits -> last good qdd through inverse dynamics (<= 5 "
        "ticks) -> gravity compensation and posture PD -> damping; the event names the rows",
        "contradictory contact and limit constraints",
        "finite commands; torque steps <= the guard's limit; explanation within 10 ms; no command beyond 1e6",
    ),
    Fault(
        "F09",
        "QP slow, or iteration limit reached",
        "iteration limit and 400 us limit; a solution is accepted only if it passes our own residual "
        "check, else the ladder",
        "ill-conditioned weights 1e9; limit of 1 iteration",
        "0 deadline misses caused by the QP; 0 unchecked solutions used",
    ),
    Fault(
        "F10",
        "tick too long: 5 ms once; ten times in a row; SIGSTOP for 5 ms",
        "no burst to catch up; misses are counted; more than 3 in 100 ms: degraded event; more than "
        "20 ms: as F01",
        "busy loop in a stage; stress-ng on the core; time stolen by the hypervisor",
        "never two ticks in a period; the flight record holds the tick with its stage times",
    ),
    Fault(
        "F11",
        "joint approaches its limit under any task",
        "damped barrier; beyond the limit only inward torque",
        "random targets outside the limits, 1e4",
        "overshoot <= 0.01 rad; only inward torque in 100 % of cases",
    ),
    Fault(
        "F12",
        "torque spike requested",
        "clipping and rate limit are the last stage before the command is sent",
        "steps of weights and references",
        "largest torque step <= the guard's limit + 1e-9 on all ticks",
    ),
    Fault(
        "F13",
        "measured torque differs from the command, or collision",
        "residual observer; soft stop or damping, depending on the class",
        "external wrench in MuJoCo; blocked motor",
        "arm: within 20 ms at 2x the threshold; 0 false alarms in 1 h",
    ),
    Fault(
        "F14",
        "estimator divergence",
        "innovation test (chi-square, 99.9 %, over 50 ms), covariance limit, tilt and height limits "
        "-> damping",
        "gyroscope bias ramp; wrong contact flag; slip; IMU turned in its mount while walking",
        "detected before 5 deg true tilt error, or within 50 ms",
    ),
    Fault(
        "F15",
        "fall",
        "tilt > 45 deg, or capture point lost for 100 ms: damped fall posture, never zero torque; latched",
        "pushes of 5 to 200 Ns",
        "within 10 ms after the condition; peak joint speed < motor limit",
    ),
    Fault(
        "F16",
        "payload +-20 %, wrong centre of mass",
        "the robot stands and reports the estimated mass; arming is refused if it is off by more than 30 %",
        "changed body mass in MuJoCo",
        "estimate within 5 % in 2 s; no fall",
    ),
    Fault(
        "F17",
        "wrong robot, configuration, model, period or units",
        "the handshake (id, joint names and order, model hash, dt, protocol) refuses a mismatch and "
        "lists the differences",
        "other yaml, permuted joints, dt 2 ms",
        "100 % refused with exit status 3; the text names the field",
    ),
    Fault(
        "F18",
        "hostile packets",
        "length limit of 4 KiB before decoding; checks of types, exact lengths, finite values and "
        "ranges; authentication",
        "random, truncated, dd 7fffffff, nesting depth 3000, NaN, replayed packets, wrong key; flood "
        "of 10 k/s",
        "0 crashes; 0 accepted; no memory growth; tick p99.9 grows by < 20 us",
    ),
    Fault(
        "F19",
        "second controller commands the same robot",
        "lease with epoch (fencing token): the robot accepts only the newest epoch; takeover only in standby",
        "two controllers",
        "commands from exactly one controller in every tick; the refused one gets the holder's name",
    ),
    Fault(
        "F20",
        "log disk full or slow, recorder killed",
        "the ring buffer overwrites old rows; a lossy event gives their number; ticks are not affected",
        "SIGKILL and SIGSTOP of the recorder; a size limit on its file",
        "tick p99.9 within 5 % (or the A/A control) of undisturbed; log readable up to its last chunk",
    ),
    Fault(
        "F21",
        "flood of dashboards, stopped viewer",
        "queues hold 1 message (high-water mark 1, or conflate); others are dropped",
        "20 clients, one of them stopped; slider changes at 1 kHz",
        "as F20; at most 1 gain change per second accepted",
    ),
    Fault(
        "F22",
        "SIGTERM or SIGINT",
        "soft stop -> damping -> exit status 0; second signal: damping at once",
        "kill -TERM",
        "within 2 s; second signal: within 2 ticks",
    ),
    Fault(
        "F23",
        "SIGKILL of the controller",
        "as F01",
        "kill -9 at a random phase, 1000 times",
        "damping within 22 ms in 1000 of 1000 cases; shared memory cleaned up at the next start",
    ),
    Fault(
        "F24",
        "SIGSTOP of the controller for 100 ms, then SIGCONT",
        "the robot is in damping; the resumed controller detects that its lease is lost",
        "kill -STOP, kill -CONT",
        "0 commands accepted after SIGCONT without re-arming",
    ),
    Fault(
        "F25",
        "SIGKILL or SIGSTOP of the robot side or simulator",
        "as F02",
        "kill -9, kill -STOP",
        "no integrator wind-up: torque after the restart <= 1.05 of the static torque",
    ),
    Fault(
        "F26",
        "power-on in an unusual posture",
        "checks of joint limits, |dq| < 0.05, 9.81 +- 0.5 and tilt; stiffness ramps up from the "
        "measured posture in 1 to 2 s",
        "1e3 random postures, also outside the limits",
        "motion during arming <= 0.02 rad, else refused with joint and value",
    ),
    Fault(
        "F27",
        "bad gains file: NaN, negative, 100x, half-written, duplicate key, deleted",
        "refused; the running gains stay bit-identical",
        "writes like those of editors; file truncated at every byte",
        "100 % refused; message with line number within 1 s",
    ),
    Fault(
        "F28",
        "unstable gains within their bounds",
        "automatic roll-back",
        "steps of kd/20 and kp x2",
        "rolled back within 300 ms; joint error < 0.05 rad in simulation",
    ),
    Fault(
        "F29",
        "motor hot, or supply voltage drops",
        "torque limits are reduced, then the robot sits down",
        "scripted telemetry",
        "monotonic reduction; no drive trips",
    ),
    Fault(
        "F30",
        "wrong contact flag, slip, foothold lost",
        "estimator rejects inconsistent contacts; weight is ramped off that foot",
        "flags flipped for 100 ms; friction 0.2",
        "no NaN; margin reported; recovery, or F15",
    ),
    Fault(
        "F31",
        "memory growth, garbage collection, page faults",
        "frozen garbage collector, mlockall, memory touched in advance",
        "8 h run in nightly CI (1 h per commit)",
        "memory growth < 1 MB/h; 0 major page faults; 0 minor ones after warm-up",
    ),
    Fault(
        "F32",
        "host not real-time (governor, C-states, no FIFO priority, swap)",
        "khz doctor reports what is wrong and by how much; hardware needs --allow-no-rt",
        "container without the right to real-time priority",
        "hardware is refused; a simulation runs and prints what is missing",
    ),
    Fault(
        "F33",
        "operator lost: who streams a walking robot's velocity, or what passes it on",
        "after 0.1 s of silence the velocity reference is faded out in 0.3 s, and the robot stands",
        "operator killed; operator stopped or unplugged; agent that takes commands killed; random directions",
        "silence noticed within 0.1 s, reference zero within 0.4 s, robot stands within 2.5 s; 0 falls",
    ),
    Fault(
        "F34",
        "peers that flood the robot's endpoint, or hold connections, and never say hello",
        "robot side: takes in a bounded amount per period, the holder of the lease first; cuts off peers "
        "that break the form or never pause, and says which",
        "4 peers at the highest rate: junk, heartbeats, big and too long messages, endless messages in "
        "parts; 2000 idle connections",
        "damping within 22 periods after the last command; at most 1 command in 1000 missed; stop within "
        "50 ms; memory +50 MB at most",
    ),
)
