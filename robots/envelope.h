/* The envelope of a robot for drivers in C: which commands and torques its motors accept, whatever the controller does.
 *
 * The rules and their numbers are those of the section "The envelope" of PROTOCOL.md; `khz protocol --envelope ROBOT`
 * prints the numbers of a robot, and envelope_vectors.json has torques that these functions reproduce. They need no
 * library but libm, allocate nothing and keep their state in `Envelope`, which begins as zeros:
 *
 *     envelope_enter      when a controller gets the lease
 *     envelope_admit      for each received command; if it returns 0, do not apply the command, but damp
 *     envelope_limit      in each period, on the torques that the motors would apply
 *     envelope_sentence   why the robot damps
 */
#ifndef KILOHERTZ_ENVELOPE_H
#define KILOHERTZ_ENVELOPE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifndef ENVELOPE_JOINTS
#define ENVELOPE_JOINTS 64
#endif

enum { ENVELOPE_OLDEST_STATE = 20, ENVELOPE_OUT = 20, ENVELOPE_LIMP = 20 };
/* While the robot damps by itself, a joint is turned back this far before the end of its range [rad]. */
static const double ENVELOPE_DAMPING_MARGIN = 0.04;

typedef enum {
    IN_ENVELOPE,
    KP_TOO_HIGH,
    KD_TOO_HIGH,
    TORQUE_JUMPS,
    DRIVEN_TOO_FAST,
    DRIVEN_BEYOND_RANGE,
    LEGS_LIMP,
    CANNOT_FOLLOW,
    CANNOT_BRAKE
} EnvelopeRule;

/* A range without an end is INFINITY. */
typedef struct {
    int joints;
    double period_s;
    double low_rad[ENVELOPE_JOINTS], high_rad[ENVELOPE_JOINTS], speed_rad_s[ENVELOPE_JOINTS], torque_Nm[ENVELOPE_JOINTS];
    double kp_Nm_rad[ENVELOPE_JOINTS], kd_Nms_rad[ENVELOPE_JOINTS], inertia_kgm2[ENVELOPE_JOINTS];
    double stop_rad[ENVELOPE_JOINTS];
    int leg[ENVELOPE_JOINTS];
} EnvelopeNumbers;

typedef struct {
    EnvelopeRule rule; /* By which a command left the envelope, the first joint, its value and the limit. */
    int joint;
    double value, limit;
    int measured;
    double last[ENVELOPE_JOINTS], v[ENVELOPE_JOINTS], demand[ENVELOPE_JOINTS], shadow[ENVELOPE_JOINTS];
    double room[2][ENVELOPE_JOINTS], bound[2][ENVELOPE_JOINTS], end[2][ENVELOPE_JOINTS];
    int fast[2][ENVELOPE_JOINTS], out[2][ENVELOPE_JOINTS], limp;
    double jumps, lags, brakes;
} Envelope;

static double envelope_within(double x, double low, double high) { return fmax(fmin(x, high), low); }

static double envelope_step(const EnvelopeNumbers *numbers, int j) {
    return 100.0 * numbers->period_s * numbers->torque_Nm[j];
}

static void envelope_left(Envelope *state, EnvelopeRule rule, int joint, double value, double limit) {
    state->rule = rule;
    state->joint = joint;
    state->value = value;
    state->limit = limit;
}

/* Forgets why the envelope was left; the torques of the last period stay. */
static void envelope_enter(Envelope *state) {
    state->rule = IN_ENVELOPE;
    state->jumps = state->lags = state->brakes = state->limp = 0;
    memset(state->fast, 0, sizeof state->fast);
    memset(state->out, 0, sizeof state->out);
}

/* Judges the gains of a received command; returns 0 if it must not be applied. */
static int envelope_admit(Envelope *state, const EnvelopeNumbers *numbers, const double *kp, const double *kd) {
    for (int j = 0; j < numbers->joints && !state->rule; j++)
        if (kp[j] > numbers->kp_Nm_rad[j]) envelope_left(state, KP_TOO_HIGH, j, kp[j], numbers->kp_Nm_rad[j]);
    for (int j = 0; j < numbers->joints && !state->rule; j++)
        if (kd[j] > numbers->kd_Nms_rad[j]) envelope_left(state, KD_TOO_HIGH, j, kd[j], numbers->kd_Nms_rad[j]);
    return !state->rule;
}

/* The room to the ends of the range, and the largest torques towards them. */
static void envelope_measure(Envelope *state, const EnvelopeNumbers *numbers, const double *q, const double *v,
                             double margin_rad) {
    for (int j = 0; j < numbers->joints; j++) {
        double limit = numbers->torque_Nm[j], step = envelope_step(numbers, j), top = numbers->speed_rad_s[j];
        double grown = state->measured ? v[j] - state->v[j] : 0.0;
        state->v[j] = v[j];
        /* The speed when the present torque can have become 0; a joint that slows down does not turn round yet. */
        grown *= fabs(state->last[j]) / step + 1.0;
        if (!(grown * v[j] > 0.0)) grown = 0.0;
        for (int side = 0; side < 2; side++) {
            double sign = side ? -1.0 : 1.0;
            double room = side ? q[j] - numbers->low_rad[j] : numbers->high_rad[j] - q[j];
            double speed = sign * v[j] + fmax(sign * grown, 0.0);
            double end = (room + (0.003 - margin_rad)) / numbers->stop_rad[j];
            double bound = fmin((0.92 * top - speed) / (0.1 * top), end);
            speed = fmax(speed, 0.0);
            double delay = fmax(sign * state->last[j] * (numbers->period_s / step) + 0.018, 0.0);
            double distance = fmax(room - delay * speed, 0.0) + 0.003;
            double braking = 0.5 * numbers->inertia_kgm2[j] / limit / distance * speed * speed;
            bound = fmin(bound, 3.0 - 4.0 * braking);
            state->room[side][j] = room;
            state->end[side][j] = limit * envelope_within(end, -1.0, 1.0);
            state->bound[side][j] = limit * envelope_within(bound, -1.0, 1.0);
        }
    }
    state->measured = 1;
}

static void envelope_judge_jumps(Envelope *state, const EnvelopeNumbers *numbers, const double *tau) {
    int first = -1;
    double jump = 0.0;
    for (int j = 0; j < numbers->joints; j++) {
        double change = fabs(tau[j] - state->demand[j]) / numbers->torque_Nm[j];
        state->demand[j] = tau[j];
        if (first < 0 && change > 0.5) {
            first = j;
            jump = change;
        }
    }
    state->jumps = first < 0 ? fmax(0.0, state->jumps - 0.05) : state->jumps + 1.0;
    if (first >= 0 && state->jumps > 5.0) envelope_left(state, TORQUE_JUMPS, first, jump, 100.0 * numbers->period_s);
}

/* Joints beyond a limit that the command drives on: an impact is not blamed on the command. */
static void envelope_judge_driven(Envelope *state, const EnvelopeNumbers *numbers, const double *tau, int side) {
    double sign = side ? -1.0 : 1.0;
    for (int j = 0; j < numbers->joints; j++) {
        int driven = sign * tau[j] > 0.05 * numbers->torque_Nm[j];
        int fast = driven && sign * state->v[j] > 1.03 * numbers->speed_rad_s[j];
        state->fast[side][j] = fast ? state->fast[side][j] + 1 : 0;
        if (!state->rule && state->fast[side][j] >= ENVELOPE_OUT)
            envelope_left(state, DRIVEN_TOO_FAST, j, state->v[j], numbers->speed_rad_s[j]);
    }
    for (int j = 0; j < numbers->joints && state->rule != DRIVEN_TOO_FAST; j++) {
        int driven = sign * tau[j] > 0.05 * numbers->torque_Nm[j];
        int out = driven && state->room[side][j] < -0.015;
        double end = side ? numbers->low_rad[j] : numbers->high_rad[j];
        state->out[side][j] = out ? state->out[side][j] + 1 : 0;
        if (!state->rule && state->out[side][j] >= ENVELOPE_OUT)
            envelope_left(state, DRIVEN_BEYOND_RANGE, j, end - sign * state->room[side][j], end);
    }
}

static void envelope_judge_limp(Envelope *state, const EnvelopeNumbers *numbers, const double *tau, const double *kd) {
    int legs = 0, limp = 0;
    for (int j = 0; j < numbers->joints; j++) {
        double limit = numbers->torque_Nm[j];
        legs += numbers->leg[j] != 0;
        limp += numbers->leg[j] && fabs(tau[j]) < 0.01 * limit && kd[j] < 0.005 * limit;
    }
    state->limp = legs && limp >= legs - 1 ? state->limp + 1 : 0;
    if (state->limp >= ENVELOPE_LIMP) envelope_left(state, LEGS_LIMP, 0, limp, legs);
}

/* Adds the joints whose torque is far from another to a count, or takes 1 from it. */
static void envelope_judge_far(Envelope *state, const EnvelopeNumbers *numbers, const double *tau, const double *other,
                               double *count, double most, EnvelopeRule rule) {
    int joints = 0, first = 0;
    double far = 0.0;
    for (int j = 0; j < numbers->joints; j++) {
        double distance = fabs(tau[j] - other[j]);
        if (distance > fmax(0.8 * numbers->torque_Nm[j], envelope_step(numbers, j)) && joints++ == 0) {
            first = j;
            far = distance / numbers->torque_Nm[j];
        }
    }
    *count = joints ? *count + joints : fmax(0.0, *count - 1.0);
    if (joints && *count > most) envelope_left(state, rule, first, far, 100.0 * numbers->period_s);
}

static void envelope_judge_demand(Envelope *state, const EnvelopeNumbers *numbers, const double *tau, const double *kd) {
    envelope_judge_jumps(state, numbers, tau);
    for (int side = 0; side < 2 && !state->rule; side++) envelope_judge_driven(state, numbers, tau, side);
    if (!state->rule) envelope_judge_limp(state, numbers, tau, kd);
    if (state->rule) return;
    for (int j = 0; j < numbers->joints; j++) {
        double step = envelope_step(numbers, j);
        state->shadow[j] += envelope_within(tau[j] - state->shadow[j], -step, step);
    }
    envelope_judge_far(state, numbers, tau, state->shadow, &state->lags, 16.0, CANNOT_FOLLOW);
}

/* Brings the torques of one period into the envelope, in place.
 *
 * tau [Nm]: tau_ff + kp (q_des - q) + kd (v_des - v) of each joint. q [rad], v [rad/s]: as measured. kd [Nms/rad]: that
 * of the command. follows: whether the torques follow a command; 0 if the robot damps or holds by itself. margin_rad:
 * ENVELOPE_DAMPING_MARGIN in the mode damping, else 0. Returns 1 while commands may be followed; 0 if the robot must
 * damp from the next period on. */
static int envelope_limit(Envelope *state, const EnvelopeNumbers *numbers, double *tau, const double *q, const double *v,
                          const double *kd, int follows, double margin_rad) {
    int judges = follows && !state->rule, joints = numbers->joints;
    envelope_measure(state, numbers, q, v, margin_rad);
    for (int j = 0; j < joints; j++)
        tau[j] = isnan(tau[j]) ? 0.0 : envelope_within(tau[j], -numbers->torque_Nm[j], numbers->torque_Nm[j]);
    if (judges) envelope_judge_demand(state, numbers, tau, kd);
    for (int j = 0; j < joints; j++) tau[j] = fmax(fmin(tau[j], state->bound[0][j]), -state->bound[1][j]);
    if (judges && !state->rule)
        envelope_judge_far(state, numbers, tau, state->last, &state->brakes, 32.0, CANNOT_BRAKE);
    for (int j = 0; j < joints; j++) {
        double last = state->last[j], step = envelope_step(numbers, j);
        if (follows) {
            tau[j] = envelope_within(tau[j], last - step, last + step);
            tau[j] = fmin(tau[j], fmax(last - 5.0 * step, state->end[0][j]));
            tau[j] = fmax(tau[j], fmin(last + 5.0 * step, -state->end[1][j]));
        } else {
            /* The torque that the robot applies by itself, from which the first command may jump. */
            state->demand[j] = state->shadow[j] = tau[j];
        }
        state->last[j] = tau[j];
    }
    return !state->rule;
}

/* Writes why the robot damps, with the names of the joints. */
static void envelope_sentence(const Envelope *state, const char *const *names, char *text, size_t size) {
    const char *joint = names[state->joint];
    double value = state->value, limit = state->limit;
    switch (state->rule) {
        case IN_ENVELOPE:
            snprintf(text, size, "%s", "");
            break;
        case KP_TOO_HIGH:
        case KD_TOO_HIGH:
            snprintf(text, size, "%s of %s is %.4g, more than %.4g", state->rule == KP_TOO_HIGH ? "kp" : "kd", joint,
                     value, limit);
            break;
        case TORQUE_JUMPS:
            snprintf(text, size, "the torque of %s jumps by %.0f %% of its limit within a period, again and again", joint,
                     100.0 * value);
            break;
        case DRIVEN_TOO_FAST:
            snprintf(text, size, "%s moves at %.2f rad/s and is driven on; its limit is %.2f rad/s", joint, value, limit);
            break;
        case DRIVEN_BEYOND_RANGE:
            snprintf(text, size, "%s is at %.3f rad and driven on; its range ends at %.3f rad", joint, value, limit);
            break;
        case LEGS_LIMP:
            snprintf(text, size, "the legs are limp: %.0f of %.0f leg joints have no torque and no damping", value, limit);
            break;
        case CANNOT_FOLLOW:
        case CANNOT_BRAKE:
            snprintf(text, size, "the torque of %s would have to change by %.0f %% of its limit to %s", joint,
                     100.0 * value, state->rule == CANNOT_FOLLOW ? "follow the command" : "brake in time");
            break;
    }
}

#endif
