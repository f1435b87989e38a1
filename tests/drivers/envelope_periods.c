/* Reads the numbers of an envelope and periods, and prints the torques of each and by which rule the envelope was left.
 *
 * Input: joints, period, the arrays of `EnvelopeNumbers` in their order; then for each period whether a command is
 * followed, the margin, and the arrays kp, kd, q, v and tau. Output: in each line the rule, the joint and the torques. */
#include "envelope.h"

static int read_row(int joints, double *values) {
    for (int j = 0; j < joints; j++)
        if (scanf("%lf", &values[j]) != 1) return 0;
    return 1;
}

int main(void) {
    static EnvelopeNumbers numbers;
    static Envelope state;
    double *arrays[] = {numbers.low_rad, numbers.high_rad, numbers.speed_rad_s, numbers.torque_Nm, numbers.kp_Nm_rad,
                        numbers.kd_Nms_rad, numbers.inertia_kgm2, numbers.stop_rad};
    double kp[ENVELOPE_JOINTS], kd[ENVELOPE_JOINTS], q[ENVELOPE_JOINTS], v[ENVELOPE_JOINTS], tau[ENVELOPE_JOINTS];
    double margin, leg[ENVELOPE_JOINTS];
    const char *names[ENVELOPE_JOINTS];
    char text[200];
    int follows;
    if (scanf("%d %lf", &numbers.joints, &numbers.period_s) != 2 || numbers.joints > ENVELOPE_JOINTS) return 2;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (!read_row(numbers.joints, arrays[i])) return 2;
    if (!read_row(numbers.joints, leg)) return 2;
    for (int j = 0; j < numbers.joints; j++) {
        numbers.leg[j] = leg[j] != 0.0;
        names[j] = "joint";
    }
    envelope_enter(&state);
    while (scanf("%d %lf", &follows, &margin) == 2) {
        for (int i = 0; i < 5; i++)
            if (!read_row(numbers.joints, (double *[]){kp, kd, q, v, tau}[i])) return 2;
        int admitted = !follows || envelope_admit(&state, &numbers, kp, kd);
        if (admitted) envelope_limit(&state, &numbers, tau, q, v, kd, follows, margin);
        envelope_sentence(&state, names, text, sizeof text);
        if (!state.rule != !text[0]) return 3;
        printf("%d %d", state.rule, state.joint);
        for (int j = 0; admitted && j < numbers.joints; j++) printf(" %.17g", tau[j]);
        printf("\n");
    }
    return 0;
}
