/* Example of a driver: a robot of two joints about vertical axes, simulated in this file, behind version 1 of the wire
 * protocol (PROTOCOL.md beside this file; `khz protocol` prints it).
 *
 *     cc -O2 -Wall -o two_joints two_joints.c -lzmq -lmsgpackc -lm
 *     ./two_joints ENDPOINT MODEL_SHA256 [wait]
 *
 * The program ends on SIGTERM and prints its counts of packets. With `wait`, the simulated time waits for each command
 * while the robot is active, for at most one second; this is for tests on busy machines. To get a driver of a real
 * robot, replace `plant_step` by the exchange with its motors, and the numbers of the envelope by those that
 * `khz protocol --envelope ROBOT` prints.
 *
 * Two processes, so that no peer can hold up the motors: the loop, which has the motors and the watchdog, and the gate,
 * which has the ZeroMQ socket. ZeroMQ reads in a thread of its own and stores a message until its last part arrives, so
 * that the gate may be busy, grow or end. The loop takes a bounded number of packets from it in each period, through a
 * pair of sockets whose queue the kernel bounds. It never waits for the gate: without it the robot only damps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <msgpack.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define ENVELOPE_JOINTS 2
#include "envelope.h"

enum { VERSION = 1, MAX_BYTES = 4096, N = 2, MAX_PEERS = 4, REMEMBERED = 64 };
enum { STANDBY, ARMED, ACTIVE, DAMPING };
enum { HOLD = 3, WATCHDOG = 20, ARMED_PERIODS = 5000, FORGET_PERIODS = 2000 };
enum { PACKETS_A_PERIOD = 32, QUEUED = 16, GATE_AGAIN_PERIODS = 100, MAX_ID = 255 };
enum { LOOP_PRIORITY = 80, GATE_DATA_BYTES = 64 << 20, QUEUE_BYTES = 32 << 10, GOODBYE_MS = 200 };

static const double DT = 0.001, LONGEST_WAIT = 1.0, PI = 3.14159265358979323846;
static const double TORQUE_LIMIT = 50.0, SPEED_LIMIT = 10.0, POSITION_LIMIT = 3.0, DAMPING_GAIN = 2.0;
static const char *ROBOT = "two_joints", *UNITS = "rad rad/s Nm m/s2 N s";
static const char *JOINTS[N] = {"shoulder_joint", "elbow_joint"};
static const EnvelopeNumbers NUMBERS = {
    .joints = N,
    .period_s = 0.001,
    .low_rad = {-3.0, -3.0},
    .high_rad = {3.0, 3.0},
    .speed_rad_s = {10.0, 10.0},
    .torque_Nm = {50.0, 50.0},
    .kp_Nm_rad = {5000.0, 5000.0},
    .kd_Nms_rad = {367.69230769230825, 30.971922246220377},
    .inertia_kgm2 = {0.57875, 0.04875},
    .stop_rad = {0.005, 0.005},
};

typedef struct { double q_des[N], v_des[N], kp[N], kd[N], tau_ff[N]; } Command;
typedef struct { unsigned char id[MAX_ID]; size_t size; long heard; char name[81]; } Peer;

static volatile sig_atomic_t stop_asked;
static int to_gate = -1, gates;
static pid_t gate_process;
static long gate_ended;
static Peer peers[MAX_PEERS];
static int n_peers, holder = -1, mode = STANDBY, fresh;
static uint64_t epoch, last_seq, state_seq, accepted, refused, late, damped;
static long tick, silent, tick_of[REMEMBERED];
static const char *model_sha;
static Command command;
static double q[N], v[N], tau[N];
static Envelope envelope;

static void on_signal(int number) { (void)number; stop_asked = 1; }

/* The plant: two links in a horizontal plane. */

static void plant_step(void) {
    const double l1 = 0.4, c1 = 0.2, c2 = 0.15, m1 = 2.0, m2 = 1.5, i1 = 0.03, i2 = 0.015;
    double share = silent <= HOLD ? 1.0 : fmax(0.0, 1.0 - (double)(silent - HOLD) / (WATCHDOG - HOLD));
    if (mode != ACTIVE) share = 0.0;
    for (int i = 0; i < N; i++) {
        double kd = share * command.kd[i] + (1.0 - share) * DAMPING_GAIN;
        tau[i] = share * (command.tau_ff[i] + command.kp[i] * (command.q_des[i] - q[i])) +
                 kd * ((share > 0.0 ? share * command.v_des[i] : 0.0) - v[i]);
    }
    envelope_limit(&envelope, &NUMBERS, tau, q, v, command.kd, mode == ACTIVE,
                   mode == DAMPING ? ENVELOPE_DAMPING_MARGIN : 0.0);
    double h = m2 * l1 * c2, cosine = cos(q[1]), sine = sin(q[1]);
    double m22 = i2 + m2 * c2 * c2, m12 = m22 + h * cosine;
    double m11 = i1 + m1 * c1 * c1 + m2 * l1 * l1 + m22 + 2.0 * h * cosine;
    double b1 = tau[0] + h * sine * (2.0 * v[0] * v[1] + v[1] * v[1]), b2 = tau[1] - h * sine * v[0] * v[0];
    double det = m11 * m22 - m12 * m12;
    v[0] += DT * (m22 * b1 - m12 * b2) / det;
    v[1] += DT * (m11 * b2 - m12 * b1) / det;
    for (int i = 0; i < N; i++) q[i] += DT * v[i];
}

/* The gate: a process of its own, between the ZeroMQ socket and the loop. A packet between the two is the length of
 * the peer's routing id (one byte), the routing id, and the message. */

/* Passes one message to the loop; drops everything that does not have the form of a message. */
static void gate_in(void *router, int loop) {
    static unsigned char packet[1 + MAX_ID + MAX_BYTES + 1];
    int more = 0, parts = 1, size = -1, id_size = zmq_recv(router, packet + 1, MAX_ID, ZMQ_DONTWAIT);
    size_t option = sizeof more;
    if (id_size < 0 || id_size > MAX_ID) return;
    packet[0] = (unsigned char)id_size;
    zmq_getsockopt(router, ZMQ_RCVMORE, &more, &option);
    while (more) {
        size = zmq_recv(router, packet + 1 + id_size, MAX_BYTES + 1, 0);
        parts++;
        zmq_getsockopt(router, ZMQ_RCVMORE, &more, &option);
    }
    if (parts == 2 && size > 0 && size <= MAX_BYTES)
        send(loop, packet, 1 + (size_t)id_size + (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Passes one packet of the loop to its peer; returns 0 when the loop has ended. */
static int gate_out(void *router, int loop) {
    static unsigned char packet[1 + MAX_ID + MAX_BYTES];
    ssize_t size = recv(loop, packet, sizeof packet, MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size < 1 + packet[0]) return 0;
    size_t id_size = packet[0];
    if (zmq_send(router, packet + 1, id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        zmq_send(router, packet + 1 + id_size, (size_t)size - 1 - id_size, ZMQ_DONTWAIT);
    return 1;
}

static int gate(const char *endpoint, int loop) {
    int linger = GOODBYE_MS, queued = QUEUED;
    struct rlimit data = {GATE_DATA_BYTES, GATE_DATA_BYTES}, core = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* The loop says when to end. */
    signal(SIGTERM, SIG_IGN);
    /* Where a peer makes ZeroMQ store more than this, ZeroMQ ends this process, and the loop starts a new one. */
    setrlimit(RLIMIT_DATA, &data);
    setrlimit(RLIMIT_CORE, &core);
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &(int64_t){MAX_BYTES}, sizeof(int64_t));
    zmq_setsockopt(router, ZMQ_RCVHWM, &queued, sizeof queued);
    zmq_setsockopt(router, ZMQ_SNDHWM, &queued, sizeof queued);
    zmq_setsockopt(router, ZMQ_LINGER, &linger, sizeof linger);
    umask(0177); /* Only this user may connect to an ipc socket. */
    if (zmq_bind(router, endpoint)) {
        fprintf(stderr, "%s: %s\n", endpoint, zmq_strerror(errno));
        return 3;
    }
    send(loop, "", 1, MSG_NOSIGNAL); /* A packet without an id: the endpoint is open. */
    for (int alive = 1; alive;) {
        /* Nothing is read from the peers while the queue to the loop is full: their own queues then fill, and ZeroMQ
         * takes from each of them in turn. */
        struct pollfd writable = {loop, POLLOUT, 0};
        int full = poll(&writable, 1, 0) == 0;
        zmq_pollitem_t items[2] = {{NULL, loop, ZMQ_POLLIN, 0}, {router, 0, ZMQ_POLLIN, 0}};
        zmq_poll(items, full ? 1 : 2, full ? 1 : 100);
        if (items[0].revents) alive = gate_out(router, loop);
        if (!full && items[1].revents) gate_in(router, loop);
    }
    zmq_close(router);
    zmq_ctx_term(context);
    return 0;
}

/* Starts the gate; returns 0 if the process cannot be started. */
static int start_gate(const char *endpoint) {
    int pair[2], queue = QUEUE_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) return 0;
    for (int end = 0; end < 2; end++) setsockopt(pair[end], SOL_SOCKET, SO_SNDBUF, &queue, sizeof queue);
    gate_process = fork();
    if (gate_process == 0) {
        close(pair[0]);
        _exit(gate(endpoint, pair[1]));
    }
    close(pair[1]);
    to_gate = gate_process > 0 ? pair[0] : (close(pair[0]), -1);
    gates++;
    return gate_process > 0;
}

/* Without the gate all peers are gone; the watchdog damps if one of them commanded. */
static void gate_has_ended(void) {
    close(to_gate);
    to_gate = holder = -1;
    n_peers = 0;
    gate_ended = tick;
}

static void end_gate(void) {
    if (to_gate >= 0) close(to_gate);
    for (int waited_ms = 0; waitpid(gate_process, NULL, WNOHANG) == 0; waited_ms++) {
        if (waited_ms == 2 * GOODBYE_MS) kill(gate_process, SIGKILL);
        usleep(1000);
    }
}

/* Sending. */

static void begin(msgpack_sbuffer *buffer, msgpack_packer *packer, const char *kind, size_t fields) {
    msgpack_sbuffer_init(buffer);
    msgpack_packer_init(packer, buffer, msgpack_sbuffer_write);
    msgpack_pack_array(packer, fields + 2);
    msgpack_pack_int(packer, VERSION);
    msgpack_pack_str_with_body(packer, kind, strlen(kind));
}

static void pack_text(msgpack_packer *packer, const char *text) {
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

static void pack_block(msgpack_packer *packer, const double *values, size_t n) {
    msgpack_pack_bin_with_body(packer, values, 8 * n);
}

static void end(msgpack_sbuffer *buffer, const Peer *peer) {
    unsigned char size = (unsigned char)peer->size;
    struct iovec parts[3] = {{&size, 1}, {(void *)peer->id, peer->size}, {buffer->data, buffer->size}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 3};
    sendmsg(to_gate, &packet, MSG_DONTWAIT | MSG_NOSIGNAL); /* A packet that does not fit is dropped. */
    msgpack_sbuffer_destroy(buffer);
}

static void refuse(const Peer *peer, const char *field, const char *text) {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    begin(&buffer, &packer, "refused", 2);
    pack_text(&packer, field);
    pack_text(&packer, text);
    end(&buffer, peer);
}

static void answer_epoch(const Peer *peer) {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    begin(&buffer, &packer, "armed", 1);
    msgpack_pack_uint64(&packer, epoch);
    end(&buffer, peer);
}

static void send_event(const char *kind, const char *text) {
    for (int i = 0; i < n_peers; i++) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        begin(&buffer, &packer, "event", 3);
        msgpack_pack_double(&packer, DT * tick);
        pack_text(&packer, kind);
        pack_text(&packer, text);
        end(&buffer, &peers[i]);
    }
}

static void send_states(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tick_of[++state_seq % REMEMBERED] = tick;
    for (int i = 0; i < n_peers; i++) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        begin(&buffer, &packer, "state", 14);
        msgpack_pack_uint64(&packer, epoch);
        msgpack_pack_uint64(&packer, state_seq);
        msgpack_pack_double(&packer, DT * tick);
        msgpack_pack_uint64(&packer, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
        msgpack_pack_int(&packer, mode);
        msgpack_pack_int(&packer, 0);
        pack_block(&packer, q, N);
        pack_block(&packer, v, N);
        pack_block(&packer, tau, N);
        for (int empty = 0; empty < 5; empty++) pack_block(&packer, NULL, 0);
        end(&buffer, &peers[i]);
    }
}

/* Receiving. */

static int is_text(const msgpack_object *object, const char *text) {
    return object->type == MSGPACK_OBJECT_STR && object->via.str.size == strlen(text) &&
           !memcmp(object->via.str.ptr, text, object->via.str.size);
}

static int is_number(const msgpack_object *object) { return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER; }

static int read_block(const msgpack_object *object, double *values, double low, double high) {
    if (object->type != MSGPACK_OBJECT_BIN || object->via.bin.size != 8 * N) return 0;
    memcpy(values, object->via.bin.ptr, 8 * N);
    for (int i = 0; i < N; i++)
        if (!(values[i] >= low && values[i] <= high)) return 0; /* NaN is not in any range. */
    return 1;
}

static void release(int new_mode) {
    mode = new_mode;
    epoch++;
    holder = -1;
}

/* A command left the envelope: the robot damps and says why. */
static void envelope_was_left(void) {
    char text[200];
    envelope_sentence(&envelope, JOINTS, text, sizeof text);
    release(DAMPING);
    damped++;
    send_event("damping", text);
}

static void hello(Peer *sender, int known, const msgpack_object *field) {
    if (known >= 0 && known == holder && (mode == ACTIVE || !is_text(&field[0], peers[known].name))) {
        /* Another peer with the routing id of the holder, which greeted before it armed. */
        if (mode == ARMED) release(STANDBY);
        holder = -1;
    }
    const char *wrong = NULL;
    if (!is_text(&field[1], ROBOT)) wrong = "robot";
    const msgpack_object *names = &field[2];
    if (!wrong && (names->type != MSGPACK_OBJECT_ARRAY || names->via.array.size != N)) wrong = "joints";
    for (int i = 0; !wrong && i < N; i++)
        if (!is_text(&names->via.array.ptr[i], JOINTS[i])) wrong = "joints";
    if (!wrong && (field[3].type != MSGPACK_OBJECT_ARRAY || field[3].via.array.size != 0)) wrong = "contacts";
    if (!wrong && (field[4].type != MSGPACK_OBJECT_FLOAT64 || field[4].via.f64 != DT)) wrong = "dt_s";
    if (!wrong && !is_text(&field[5], model_sha)) wrong = "model_sha256";
    if (!wrong && !is_text(&field[6], UNITS)) wrong = "units";
    if (wrong) {
        refuse(sender, wrong, "this field has another value in the two_joints driver");
        return;
    }
    if (known < 0) {
        if (n_peers == MAX_PEERS) {
            refuse(sender, "peers", "the largest number of controllers is connected already");
            return;
        }
        known = n_peers++;
    }
    size_t length = field[0].type == MSGPACK_OBJECT_STR ? field[0].via.str.size : 0;
    if (length > 80) length = 80;
    memcpy(sender->name, field[0].via.str.ptr, length);
    sender->name[length] = 0;
    peers[known] = *sender;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    begin(&buffer, &packer, "welcome", 8);
    pack_text(&packer, ROBOT);
    msgpack_pack_array(&packer, N);
    for (int i = 0; i < N; i++) pack_text(&packer, JOINTS[i]);
    msgpack_pack_array(&packer, 0);
    msgpack_pack_double(&packer, DT);
    pack_text(&packer, model_sha);
    pack_text(&packer, UNITS);
    msgpack_pack_int(&packer, mode);
    msgpack_pack_array(&packer, 0);
    end(&buffer, sender);
}

static void arm(int peer) {
    if (mode == ARMED && peer == holder) {
        answer_epoch(&peers[peer]);
        return;
    }
    if (mode == ARMED || mode == ACTIVE) {
        char text[200];
        const char *name = holder < 0 ? "a controller that is gone" : peers[holder].name;
        snprintf(text, sizeof text, "'%s' already commands this robot", name);
        refuse(&peers[peer], "lease", text);
        return;
    }
    for (int i = 0; i < N; i++)
        if (fabs(q[i]) > POSITION_LIMIT || fabs(v[i]) > 0.05) {
            refuse(&peers[peer], "self-test", "a joint moves or is outside its limits");
            return;
        }
    epoch++;
    holder = peer;
    mode = ARMED;
    last_seq = accepted = refused = late = 0;
    silent = 0;
    envelope_enter(&envelope);
    answer_epoch(&peers[peer]);
}

static void take_command(int peer, const msgpack_object *field) {
    Command wish;
    for (int i = 0; i < 4; i++)
        if (!is_number(&field[i])) {
            refused++;
            return;
        }
    if (peer < 0 || peer != holder || field[0].via.u64 != epoch) {
        refused++;
        return;
    }
    uint64_t answered = field[2].via.u64;
    if (field[1].via.u64 <= last_seq || answered > state_seq || state_seq - answered >= REMEMBERED) {
        late++;
        return;
    }
    long age = tick - tick_of[answered % REMEMBERED];
    if ((double)age * DT * 1e6 > (double)field[3].via.u64 || age > ENVELOPE_OLDEST_STATE) {
        late++;
        return;
    }
    double range = POSITION_LIMIT + PI, speed = 10.0 * SPEED_LIMIT, torque = 2.0 * TORQUE_LIMIT;
    if (!read_block(&field[4], wish.q_des, -range, range) || !read_block(&field[5], wish.v_des, -speed, speed) ||
        !read_block(&field[6], wish.kp, 0.0, 1e5) || !read_block(&field[7], wish.kd, 0.0, 1e5) ||
        !read_block(&field[8], wish.tau_ff, -torque, torque)) {
        refused++;
        return;
    }
    if (!envelope_admit(&envelope, &NUMBERS, wish.kp, wish.kd)) {
        refused++;
        envelope_was_left();
        return;
    }
    command = wish;
    last_seq = field[1].via.u64;
    mode = ACTIVE;
    fresh = 1;
    accepted++;
}

static void handle(Peer *sender, const msgpack_object *message) {
    const msgpack_object *field = message->via.array.ptr + 2, *kind = message->via.array.ptr + 1;
    uint32_t fields = message->via.array.size - 2;
    int known = -1;
    for (int i = 0; i < n_peers; i++)
        if (peers[i].size == sender->size && !memcmp(peers[i].id, sender->id, sender->size)) known = i;
    if (known >= 0) peers[known].heard = tick;
    if (is_text(kind, "command") && fields == 9) {
        take_command(known, field);
    } else if (is_text(kind, "hello") && fields == 8) {
        hello(sender, known, field);
    } else if (is_text(kind, "stop") && fields == 1) {
        if (mode != DAMPING) {
            release(DAMPING);
            damped++;
            send_event("stopped", "stopped by a stop message");
        }
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        begin(&buffer, &packer, "stopped", 0);
        end(&buffer, sender);
    } else if (is_text(kind, "arm") && known >= 0 && fields == 0) {
        arm(known);
    } else if (is_text(kind, "disarm") && known >= 0 && known == holder && fields == 1 && is_number(&field[0]) &&
               field[0].via.u64 == epoch) {
        release(STANDBY);
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        begin(&buffer, &packer, "disarmed", 4);
        msgpack_pack_uint64(&packer, accepted);
        msgpack_pack_uint64(&packer, refused);
        msgpack_pack_uint64(&packer, late);
        pack_block(&packer, NULL, 0);
        end(&buffer, sender);
    } else if (!(is_text(kind, "heartbeat") && fields == 0)) {
        refused++;
    }
}

/* Handles one received packet, if there is one. */
static int receive(void) {
    static unsigned char packet[1 + MAX_ID + MAX_BYTES];
    if (to_gate < 0) return 0;
    ssize_t length = recv(to_gate, packet, sizeof packet, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (length <= 0) {
        gate_has_ended();
        return 0;
    }
    Peer sender = {.heard = tick, .size = packet[0]};
    if (length <= 1 + (ssize_t)sender.size) return 1; /* The gate says that it is open. */
    memcpy(sender.id, packet + 1, sender.size);
    const char *payload = (const char *)packet + 1 + sender.size;
    size_t size = (size_t)length - 1 - sender.size;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    if (msgpack_unpack_next(&unpacked, payload, size, &offset) == MSGPACK_UNPACK_SUCCESS &&
        offset == size && unpacked.data.type == MSGPACK_OBJECT_ARRAY && unpacked.data.via.array.size >= 2 &&
        is_number(&unpacked.data.via.array.ptr[0])) {
        if (unpacked.data.via.array.ptr[0].via.u64 == VERSION)
            handle(&sender, &unpacked.data);
        else
            refuse(&sender, "protocol", "this robot uses protocol version 1");
    } else {
        refused++;
    }
    msgpack_unpacked_destroy(&unpacked);
    return 1;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void forget_silent_peers(void) {
    for (int i = n_peers - 1; i >= 0; i--)
        if (i != holder && tick - peers[i].heard > FORGET_PERIODS) {
            peers[i] = peers[--n_peers];
            if (holder == n_peers) holder = i;
        }
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: %s ENDPOINT MODEL_SHA256 [wait]\n", arguments[0]);
        return 2;
    }
    model_sha = arguments[2];
    int wait = count > 3 && !strcmp(arguments[3], "wait");
    struct timespec due;
    clock_gettime(CLOCK_REALTIME, &due);
    srandom((unsigned)(due.tv_nsec ^ due.tv_sec));
    epoch = ((uint64_t)random() << 31 | (uint64_t)random()) + 1;
    char opened;
    if (!start_gate(arguments[1]) || recv(to_gate, &opened, 1, 0) != 1) return 3;
    /* The loop, and not the gate, runs before all ordinary programs, if the host permits it. */
    struct sched_param priority = {LOOP_PRIORITY};
    if (!wait) sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("serving %s at %s\n", ROBOT, arguments[1]);
    fflush(stdout);
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (!stop_asked) {
        for (int packets = 0; packets < PACKETS_A_PERIOD && receive(); packets++) continue;
        struct pollfd item = {to_gate, POLLIN, 0};
        /* Bounded by time and not by packets: those of a flood would use up a count in some milliseconds. */
        for (double since = seconds(); wait && mode == ACTIVE && !fresh && !silent && !stop_asked;) {
            if (seconds() - since > LONGEST_WAIT) break;
            if (poll(&item, 1, 1) > 0) receive();
        }
        if (to_gate < 0 && tick - gate_ended > GATE_AGAIN_PERIODS && waitpid(gate_process, NULL, WNOHANG))
            start_gate(arguments[1]);
        tick++;
        silent = fresh ? 0 : silent + 1;
        fresh = 0;
        if (mode == ACTIVE && silent >= WATCHDOG) {
            release(DAMPING);
            damped++;
            send_event("damping", "no command was accepted for 20 periods");
        } else if (mode == ARMED && silent >= ARMED_PERIODS) {
            release(STANDBY);
        }
        plant_step();
        if (mode == ACTIVE && envelope.rule) envelope_was_left();
        forget_silent_peers();
        send_states();
        due.tv_nsec += 1000000;
        if (due.tv_nsec >= 1000000000) due.tv_sec++, due.tv_nsec -= 1000000000;
        if (!(wait && mode == ACTIVE)) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        else clock_gettime(CLOCK_MONOTONIC, &due);
    }
    printf("accepted %lu refused %lu late %lu damped %lu mode %d q %.6f %.6f gates %d\n", accepted, refused, late, damped,
           mode, q[0], q[1], gates);
    fflush(stdout);
    end_gate();
    return 0;
}
