"""The fault table: what may break, what must happen then, how it is provoked, and when it is passed."""

from __future__ import annotations

from dataclasses import dataclass

from kilohertz.robots.config.config_error import ConfigError, did_you_mean


@dataclass(frozen=True)
class Fault:
    """One row of the table; all in words.

    Attributes:
        name: F01 and so on.
        fault: what breaks.
        reaction: what must happen.
        injection: how it is provoked.
        figure: when it counts as passed.
    """

    name: str
    fault: str
    reaction: str
    injection: str
    figure: str


def find_fault(name: str) -> Fault:
    """The row of this name, whatever its case.

    Raises:
        ConfigError: there is none.
    """
    by_name = {fault.name: fault for fault in FAULTS}
    if name.upper() not in by_name:
        raise ConfigError(f"there is no fault '{name}'{did_you_mean(name.upper(), by_name)}")
    return by_name[name.upper()]


FAULTS = (
    Fault(
        "F01",
        "command link lost",
        "robot side: hold last torque <= 3 ms, fade feed-forward to 20 ms, DAMP at 20 ms; latched",
        "drop-all proxy; tc netem loss 100%",
        "DAMP <= 22 ms in 1000/1000; jumps <= dTau",
    ),
    Fault(
        "F02",
        "state link lost",
        "controller: predict <= 10 ms, then send DAMP + stop integrators; exit code 4",
        "proxy one way",
        "DAMP sent <= 12 ms; no reconnect without re-arm",
    ),
    Fault(
        "F03",
        "NaN/Inf in any sensor field",
        "sample refused before estimator and QP; predict; >= 3 in a row -> DAMP",
        "per-field fuzz, 1e5 packets",
        "0 non-finite outputs; DAMP <= 5 ms; first clean QP solved (guards 0.1)",
    ),
    Fault(
        "F04",
        "frozen sensor (time moves, value doesn't)",
        "flagged; DEGRADED or DAMP",
        "hold last encoder/IMU",
        "detect <= 50 ms moving, <= 500 ms standing",
    ),
    Fault(
        "F05",
        "encoder jump / bit flip",
        "reject > v_max*dt+margin; 3 -> DAMP",
        "+0.3 rad, sign flip, 2pi wrap",
        "0 torque step > dTau",
    ),
    Fault(
        "F06",
        "duplicate, reordered, late packets",
        "strictly increasing seq; late > 2 ms dropped",
        "shuffling proxy 10 %/1 %",
        "result bit-equal to in-order run for dup/reorder inside the window",
    ),
    Fault(
        "F07",
        "clock jump",
        "monotonic clock only in rt; robot-time jump -> resync, dt clamped [0.5, 3] ms",
        "libfaketime/settimeofday +-1 h; robot stamp +-1 s",
        "0 missed ticks; dt error < 50 us; no torque step",
    ),
    Fault(
        "F08",
        "QP infeasible",
        "ladder same tick: soft slacks -> last good qdd through ID (<= 5 ticks) -> gravity comp + "
        "posture PD -> DAMP; event names rows",
        "contradictory foot/limit constraints",
        "finite; step <= dTau; explanation <= 10 ms; |x|>1e6 never leaves",
    ),
    Fault(
        "F09",
        "QP slow / max_iter",
        "max_iter + 400 us limit; accept only if own residual check passes, else ladder",
        "ill-conditioned weights 1e9, forced 1-iteration",
        "0 overruns from the QP; 0 unchecked iterates used",
    ),
    Fault(
        "F10",
        "overrun: one 5 ms; ten in a row; SIGSTOP 5 ms",
        "no burst catch-up; count; > 3 in 100 ms DEGRADED; > 20 ms = F01",
        "busy loop in a stage; stress-ng on the core; hypervisor steal",
        "no double tick; flight record holds the tick with stage times",
    ),
    Fault(
        "F11",
        "joint-limit approach under any task",
        "damped barrier; beyond limit only inward torque",
        "random targets outside, 1e4",
        "overshoot <= 0.01 rad; inward-only 100 %",
    ),
    Fault(
        "F12",
        "torque spike asked",
        "clip + rate limit last in chain, after everything",
        "step weights, step refs",
        "max step <= dTau + 1e-9 on all ticks",
    ),
    Fault(
        "F13",
        "tau_meas vs tau_cmd / collision",
        "residual observer -> STOP2 or DAMP by class",
        "external wrench in MuJoCo, stuck motor",
        "arm: <= 20 ms at 2x threshold; 0 false in 1 h",
    ),
    Fault(
        "F14",
        "estimator divergence",
        "innovation chi2 99.9 % over 50 ms, covariance cap, tilt/height bounds -> DAMP",
        "gyro bias ramp, wrong contact flag, slip; IMU turned in its mount on a walk",
        "before 5 deg true tilt error, or <= 50 ms",
    ),
    Fault(
        "F15",
        "fall",
        "tilt > 45 deg or capture point lost 100 ms -> damped fall pose, never zero torque; locked",
        "push sweep 5..200 N s",
        "<= 10 ms after condition; peak joint speed < motor limit",
    ),
    Fault(
        "F16",
        "payload +-20 %, wrong CoM",
        "stands; mass estimate shown; refuse arm > 30 % off",
        "body mass in MuJoCo",
        "estimate within 5 % in 2 s; no fall",
    ),
    Fault(
        "F17",
        "wrong robot/config/model/dt/units",
        "handshake (id, joint names+order, model sha, dt, protocol) mismatch -> refuse, list differences",
        "swap yaml, permute joints, dt 2 ms",
        "100 % refused, exit 3, text names the field",
    ),
    Fault(
        "F18",
        "hostile packets",
        "length cap 4 KiB before decode, typed decode, exact lengths, finite, ranges, auth",
        "random, truncated, dd 7fffffff, depth 3000, NaN, replayed capture, wrong key; 10 k/s flood",
        "0 crash, 0 accepted, RSS +0, tick p99.9 + < 20 us",
    ),
    Fault(
        "F19",
        "second commander",
        "lease with epoch (fencing token); robot takes only the newest epoch; takeover only in STANDBY",
        "two controllers",
        "commands from exactly one source on every tick; loser gets the holder's name",
    ),
    Fault(
        "F20",
        "log disk full / slow / logger killed",
        "ring overwrites, lossy: n event, ticks unaffected",
        "SIGKILL and SIGSTOP of the recorder, a limit on its file's size",
        "tick p99.9 within 5 % of baseline; log readable to last chunk",
    ),
    Fault(
        "F21",
        "dashboard flood, stopped viewer",
        "HWM 1 / conflate, drop",
        "20 clients, one SIGSTOPped, slider storm 1 kHz",
        "as F20; gain changes <= 1/s accepted",
    ),
    Fault(
        "F22",
        "SIGTERM/SIGINT",
        "STOP2 -> DAMP -> exit 0; second signal = DAMP now",
        "kill -TERM",
        "<= 2 s; 2nd <= 2 ticks",
    ),
    Fault(
        "F23",
        "SIGKILL controller",
        "F01",
        "kill -9 at random phase x1000",
        "<= 22 ms 1000/1000; shm cleaned on next start",
    ),
    Fault(
        "F24",
        "SIGSTOP controller 100 ms, SIGCONT",
        "robot damped; on wake the controller sees its lease lost",
        "kill -STOP/-CONT",
        "0 commands accepted after wake without re-arm",
    ),
    Fault(
        "F25",
        "SIGKILL/STOP robot or sim side",
        "F02",
        "same",
        "no wind-up: after restart torque <= 1.05x static",
    ),
    Fault(
        "F26",
        "power-on in odd pose",
        "limits, |dq|<0.05, 9.81+-0.5, tilt; stiffness ramps from measured pose 1-2 s",
        "1e3 random poses incl. outside limits",
        "move at arm <= 0.02 rad, else refuse with joint + value",
    ),
    Fault(
        "F27",
        "bad gain file: NaN, negative, 100x, half-written, duplicate key, deleted",
        "refused, running gains bit-identical",
        "editor-like writes, truncate at every byte",
        "100 %; message with line <= 1 s",
    ),
    Fault(
        "F28",
        "in-range but unstable gains",
        "auto roll-back",
        "kd/20, kp x2 steps",
        "back <= 300 ms; joint error < 0.05 rad in sim",
    ),
    Fault(
        "F29",
        "motor hot / bus sag",
        "derate -> sit",
        "telemetry script",
        "monotone derate; no trip of drive",
    ),
    Fault(
        "F30",
        "contact flag wrong, slip, foothold lost",
        "estimator gates; weight ramp off that foot",
        "flip flags 100 ms; friction 0.2",
        "no NaN; margin reported; recover or F15",
    ),
    Fault(
        "F31",
        "memory/GC/page faults",
        "gc frozen, mlockall, prefault",
        "8 h soak in CI nightly (1 h per commit)",
        "RSS slope < 1 MB/h; major faults 0; minor 0 after warm-up",
    ),
    Fault(
        "F32",
        "host not RT (governor, C-states, no FIFO, swap)",
        "doctor says what and how much; hw needs --allow-no-rt",
        "container without rtprio",
        "refuses hw; sim runs with a banner",
    ),
    Fault(
        "F33",
        "joystick/teleop lost",
        "velocity reference to 0",
        "unplug",
        "<= 200 ms, jerk-limited",
    ),
)
