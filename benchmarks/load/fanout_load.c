/* A WebSocket load client that is never the bottleneck: one thread, one epoll, no allocation per message.
 *
 * It opens N subscribers, publishes over a connection of its own, and holds every subscriber to the sequence
 * of the published events: each must see 1, 2, 3 … without a hole, a double or an exchange. Latency is taken
 * from the publisher's clock inside the event ("sent", CLOCK_MONOTONIC nanoseconds), so publisher and
 * subscribers have to be this one process.
 *
 * Life: connect all; prove that each is subscribed (a probe event with "seq":0, or the text of --await);
 * print `ready`; wait for a line on standard input; publish; print one line of JSON when every subscriber has
 * had --messages events or --timeout has passed.
 *
 * usage: fanout_load --port P [--host 127.0.0.1] [--path /] [--control-path /control] [--post-path /api/events]
 *                    [--protocol mission|plain|socketio] [--clients 1000] [--messages 1000]
 *                    [--shape burst|tick|rate|none|idle] [--batch B] [--rate EVENTS_PER_SECOND] [--size 270]
 *                    [--first TEXT] [--await TEXT] [--concurrency 64] [--timeout SECONDS] [--spin]
 *
 * shapes: burst  --batch events in one request, the next when every subscriber has had them
 *         tick   --batch events in one message, the next when the last opened subscriber has had them
 *         rate   one event at a time, --rate a second
 *         none   no publisher: the events are in the server already (a client that catches up)
 *         idle   connect, print `ready`, stay until a line or the end of standard input
 *
 * --spin: never sleep while events are under way. Waking a sleeping reader is charged to the sender's CPU time, and
 * how often that happens depends on which of the two is faster; with it, no server pays for it.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 256 << 10, CARRY_SIZE = 4 << 20, HEADER_SIZE = 14, FINE = 8 };

typedef enum { MISSION, PLAIN, SOCKETIO } protocol_t;
typedef enum { BURST, TICK, RATE, NONE, IDLE } shape_t;
typedef enum { CONNECTING, UPGRADING, OPEN, CLOSED } stage_t;
typedef enum { SUBSCRIBER, CONTROL, POST } role_t;

typedef struct {
    int fd;
    role_t role;
    stage_t stage;
    bool proven;       /* subscribed beyond doubt: the probe or the awaited text has come */
    bool writable;     /* EPOLLOUT is asked for */
    uint32_t next;     /* the sequence number that must come next */
    uint32_t got;      /* distinct events */
    uint8_t *missing;  /* one bit per event, from the first hole on */
    uint8_t *carry;    /* a frame that has come in part */
    size_t carry_len, carry_cap;
    uint8_t *out;      /* what the socket has not taken yet */
    size_t out_len, out_off, out_cap;
} conn_t;

static const char *host = "127.0.0.1", *path = "/", *control_path = "/control", *post_path = "/api/events";
static const char *first_text, *await_text;
static int port;
static protocol_t protocol = PLAIN;
static shape_t shape = BURST;
static uint32_t clients = 1000, messages = 1000, batch = 1000, concurrency = 64, event_size = 270;
static double rate = 100, timeout_s = 60;
static bool spin;

static int poll_fd, timer_fd;
static conn_t *conns, *control, *post;
static uint8_t *input; /* CARRY_SIZE for what was left over, READ_SIZE behind it for the next recv */

static uint32_t opened, pending, proven, published, refused, protocol_errors, closed_early;
static uint64_t delivered, duplicates, reordered, payload_bytes;
static uint32_t finished; /* subscribers that have had everything */
static size_t envelope;   /* bytes that the server puts around the published data, learnt from the probe */
static uint64_t started_ns, ended_ns;

/* Latency histogram: 2^FINE steps within each power of two of nanoseconds, so at most 0.4 % off. */
static uint32_t histogram[64 << FINE];
static uint64_t latency_max, latency_count;

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t monotonic(void) { return now_ns(CLOCK_MONOTONIC); }

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("fanout_load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static void *grow(void *old, size_t size) {
    void *block = realloc(old, size);
    if (block == NULL) die("out of memory");
    return block;
}

/* ---- latency ---------------------------------------------------------------------------------------- */

static void record(uint64_t ns) {
    uint32_t slot = (uint32_t)ns;
    if (ns >= (2u << FINE)) {
        uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - FINE;
        slot = (uint32_t)((shift << FINE) + (ns >> shift));
    }
    histogram[slot]++;
    latency_count++;
    if (ns > latency_max) latency_max = ns;
}

static double quantile_ms(double q) {
    uint64_t want = (uint64_t)(q * (double)latency_count), seen = 0;
    for (uint32_t slot = 0; slot < sizeof histogram / sizeof *histogram; slot++) {
        seen += histogram[slot];
        if (seen > want) {
            if (slot < (2u << FINE)) return slot / 1e6;
            uint32_t shift = (slot >> FINE) - 1;
            return (double)((uint64_t)(slot - (shift << FINE)) << shift) / 1e6;
        }
    }
    return (double)latency_max / 1e6;
}

/* ---- output ----------------------------------------------------------------------------------------- */

static void interest(conn_t *c, bool out) {
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &e) < 0) die("epoll_ctl: %s", strerror(errno));
    c->writable = out;
}

static void flush_out(conn_t *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) return; /* the read side tells */
            if (!c->writable) interest(c, true);
            return;
        }
        c->out_off += (size_t)n;
    }
    c->out_len = c->out_off = 0;
    if (c->writable) interest(c, false);
}

static void queue(conn_t *c, const void *data, size_t len) {
    if (c->out_len + len > c->out_cap) {
        c->out_cap = (c->out_len + len) * 2;
        c->out = grow(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

/* One masked frame, as a client has to send it. */
static void send_frame(conn_t *c, uint8_t opcode, const void *payload, size_t len) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[HEADER_SIZE];
    size_t n = 2;
    head[0] = 0x80 | opcode;
    if (len < 126) {
        head[1] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        n = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++) head[2 + i] = (uint8_t)(len >> (56 - 8 * i));
        n = 10;
    }
    memcpy(head + n, mask, 4);
    queue(c, head, n + 4);
    queue(c, payload, len);
    uint8_t *body = c->out + c->out_len - len;
    for (size_t i = 0; i < len; i++) body[i] ^= mask[i & 3];
    flush_out(c);
}

static void send_text(conn_t *c, const char *text) { send_frame(c, 1, text, strlen(text)); }

/* ---- publishing ------------------------------------------------------------------------------------- */

static char *text;
static size_t text_len, text_cap;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...) {
    for (;;) {
        va_list args;
        va_start(args, format);
        int n = vsnprintf(text + text_len, text_cap - text_len, format, args);
        va_end(args);
        if (text_len + (size_t)n < text_cap) {
            text_len += (size_t)n;
            return;
        }
        text_cap = text_cap * 2 + (size_t)n + 1;
        text = grow(text, text_cap);
    }
}

/* The data of one event, padded so that the event as delivered has --size bytes. */
static void put_data(uint32_t seq, uint64_t sent, size_t around) {
    char head[96];
    int n = snprintf(head, sizeof head, "{\"seq\":%u,\"sent\":%llu,\"pad\":\"", seq, (unsigned long long)sent);
    size_t used = (size_t)n + 2 + around;
    int pad = used < event_size ? (int)(event_size - used) : 0;
    put("%s%0*d\"}", head, pad, 0);
}

static void put_event(uint32_t seq, uint64_t sent) {
    if (protocol == MISSION) {
        put("{\"type\":\"bench:event\",\"data\":");
        put_data(seq, sent, envelope);
        put("}");
        return;
    }
    char head[128]; /* the same envelope that the product puts around an event */
    int n = snprintf(head, sizeof head,
                     "{\"type\":\"bench:event\",\"id\":%u,\"time\":\"2026-11-23T10:15:00.123Z\",\"source\":\"api\","
                     "\"data\":", seq);
    put("%s", head);
    put_data(seq, sent, (size_t)n + 1);
    put("}");
}

static void publish(uint32_t count) {
    uint64_t sent = monotonic();
    bool http = protocol == MISSION && shape == BURST && published > 0;
    const char *between = protocol == MISSION && !http ? "," : "\n";
    text_len = 0;
    if (protocol == MISSION && !http) put("{\"type\":\"publish\",\"ref\":%u,\"events\":[", published);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put("%s", between);
        put_event(published++, sent);
    }
    if (http) {
        char head[256];
        int n = snprintf(head, sizeof head,
                         "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/x-ndjson\r\n"
                         "Content-Length: %zu\r\n\r\n", post_path, host, port, text_len);
        queue(post, head, (size_t)n);
        queue(post, text, text_len);
        flush_out(post);
        return;
    }
    if (protocol == MISSION) put("]}");
    send_frame(control, 1, text, text_len);
}

/* The event of sequence 0 asks every subscriber whether it is there. */
static void probe(void) {
    published = 0;
    publish(1);
}

static void arm_timer(double seconds, double period) {
    struct itimerspec spec = {
        .it_value = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)},
        .it_interval = {(time_t)period, (long)((period - (double)(time_t)period) * 1e9)},
    };
    timerfd_settime(timer_fd, 0, &spec, NULL);
}

static void next_batch(void) {
    uint32_t left = messages + 1 - published;
    if (left > 0) publish(left < batch ? left : batch);
}

/* ---- input ------------------------------------------------------------------------------------------ */

static uint64_t digits(const uint8_t *p, const uint8_t *end) {
    uint64_t value = 0;
    while (p < end && *p == ' ') p++;
    while (p < end && *p >= '0' && *p <= '9') value = value * 10 + (uint64_t)(*p++ - '0');
    return value;
}

/* Where `key` ends in the text; `hint` remembers where it was the last time, which is nearly always right. */
static const uint8_t *after(const uint8_t *p, size_t len, const char *key, size_t key_len, size_t *hint) {
    if (*hint + key_len <= len && memcmp(p + *hint, key, key_len) == 0) return p + *hint + key_len;
    const uint8_t *at = memmem(p, len, key, key_len);
    if (at == NULL) return NULL;
    *hint = (size_t)(at - p);
    return at + key_len;
}

static void prove(conn_t *c) {
    if (c->proven) return;
    c->proven = true;
    proven++;
}

static void advance(conn_t *c) {
    c->got++;
    delivered++;
    if (c->got == messages && ++finished == clients) ended_ns = monotonic();
}

static void event(conn_t *c, uint32_t seq, uint64_t sent, uint64_t now) {
    if (seq == c->next) {
        c->next++;
    } else if (seq > c->next) {
        if (c->missing == NULL) c->missing = memset(grow(NULL, messages / 8 + 1), 0, messages / 8 + 1);
        for (uint32_t i = c->next; i < seq; i++) c->missing[i >> 3] |= (uint8_t)(1u << (i & 7));
        c->next = seq + 1;
    } else if (c->missing != NULL && (c->missing[seq >> 3] >> (seq & 7) & 1)) {
        c->missing[seq >> 3] &= (uint8_t)~(1u << (seq & 7));
        reordered++;
    } else {
        duplicates++;
        return;
    }
    advance(c);
    if (sent > 0) record(now > sent ? now - sent : 0);
}

static void subscriber_text(conn_t *c, const uint8_t *p, size_t len, uint64_t now) {
    static size_t seq_at, sent_at;
    if (protocol == SOCKETIO && len > 0 && p[0] != '4') {
        if (p[0] == '0') send_text(c, "40");
        if (p[0] == '2') send_text(c, "3");
        return;
    }
    const uint8_t *at = after(p, len, "\"seq\":", 6, &seq_at);
    if (at == NULL) {
        if (!c->proven && await_text != NULL && memmem(p, len, await_text, strlen(await_text))) prove(c);
        return;
    }
    uint64_t seq = digits(at, p + len);
    if (seq == 0) {
        if (protocol == MISSION && envelope == 0) {
            const uint8_t *data = memmem(p, len, "{\"seq\"", 6);
            const uint8_t *end = memmem(p, len, "0\"}", 3);
            if (data != NULL && end != NULL) envelope = len - (size_t)(end + 3 - data);
        }
        prove(c);
        return;
    }
    if (seq > messages) {
        protocol_errors++;
        return;
    }
    at = after(p, len, "\"sent\":", 7, &sent_at);
    payload_bytes += len;
    event(c, (uint32_t)seq, at ? digits(at, p + len) : 0, now);
}

static void control_text(const uint8_t *p, size_t len) {
    if (memmem(p, len, "\"type\":\"error\"", 14)) {
        refused++;
        fprintf(stderr, "fanout_load: refused: %.*s\n", (int)(len < 300 ? len : 300), (const char *)p);
    }
}

static void close_conn(conn_t *c) {
    if (c->stage == CLOSED) return;
    if (c->stage != OPEN) die("the server closed a connection that was not open yet (%s)", path);
    c->stage = CLOSED;
    close(c->fd);
    closed_early++;
}

/* Everything before the first byte that is not a whole frame; returns how many bytes that is. */
static size_t frames(conn_t *c, const uint8_t *data, size_t len, uint64_t now) {
    size_t at = 0;
    while (len - at >= 2) {
        const uint8_t *p = data + at;
        size_t size = p[1] & 127, head = 2;
        if (p[1] & 0x80 || p[0] & 0x70 || !(p[0] & 0x80)) die("a masked, compressed or fragmented frame");
        if (size == 126) {
            if (len - at < 4) break;
            size = (size_t)p[2] << 8 | p[3];
            head = 4;
        } else if (size == 127) {
            if (len - at < 10) break;
            size = 0;
            for (int i = 2; i < 10; i++) size = size << 8 | p[i];
            head = 10;
        }
        if (size > CARRY_SIZE - HEADER_SIZE) die("a frame of %zu bytes", size);
        if (len - at < head + size) break;
        p += head;
        at += head + size;
        switch (data[at - head - size] & 15) {
        case 1:
        case 2:
            if (c->role == SUBSCRIBER) subscriber_text(c, p, size, now);
            else control_text(p, size);
            break;
        case 8:
            if (size >= 2) fprintf(stderr, "fanout_load: closed by the server: %d\n", p[0] << 8 | p[1]);
            close_conn(c);
            return len;
        case 9: send_frame(c, 10, p, size); break;
        default: break;
        }
    }
    return at;
}

static size_t response(const uint8_t *data, size_t len) {
    const uint8_t *end = memmem(data, len, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end + 4 - data);
}

static size_t upgraded(conn_t *c, const uint8_t *data, size_t len) {
    size_t head = response(data, len);
    if (head == 0) return 0;
    if (len < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0) {
        die("no upgrade at %s: %.*s", path, (int)(len < 400 ? len : 400), (const char *)data);
    }
    c->stage = OPEN;
    pending--;
    if (c->role == CONTROL) {
        if (protocol == MISSION) send_text(c, "{\"type\":\"unsubscribe\",\"events\":[\"*\"]}");
    } else {
        opened++;
        if (first_text != NULL) send_text(c, first_text);
    }
    return head;
}

/* Answers to POST: only the status matters. */
static size_t answered(const uint8_t *data, size_t len) {
    size_t head = response(data, len), body = 0;
    if (head == 0) return 0;
    const uint8_t *field = memmem(data, head, "ontent-", 7);
    while (field != NULL && strncasecmp((const char *)field, "ontent-length:", 14) != 0) {
        field = memmem(field + 1, head - (size_t)(field + 1 - data), "ontent-", 7);
    }
    if (field != NULL) body = digits(field + 14, data + head);
    if (len < head + body) return 0;
    if (memcmp(data, "HTTP/1.1 2", 10) != 0) {
        refused++;
        fprintf(stderr, "fanout_load: refused: %.*s\n", (int)(len < 600 ? len : 600), (const char *)data);
    }
    return head + body;
}

static void readable(conn_t *c) {
    uint8_t *data = input + CARRY_SIZE - c->carry_len;
    ssize_t n = recv(c->fd, input + CARRY_SIZE, READ_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        close_conn(c);
        return;
    }
    if (c->carry_len > 0) memcpy(data, c->carry, c->carry_len);
    size_t len = c->carry_len + (size_t)n, used = 0;
    if (c->role == POST) {
        used = answered(data, len);
    } else {
        if (c->stage == UPGRADING) used = upgraded(c, data, len);
        if (c->stage == OPEN) used += frames(c, data + used, len - used, monotonic());
    }
    c->carry_len = len - used;
    if (c->carry_len > CARRY_SIZE) die("an answer without an end");
    if (c->carry_len > c->carry_cap) {
        c->carry_cap = c->carry_len * 2;
        c->carry = grow(c->carry, c->carry_cap);
    }
    if (c->carry_len > 0) memcpy(c->carry, data + used, c->carry_len);
}

/* ---- connecting ------------------------------------------------------------------------------------- */

static void dial(conn_t *c, role_t role) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("not an IPv4 address: %s", host);
    c->role = role;
    c->next = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        die("connect to %s:%d: %s", host, port, strerror(errno));
    }
    c->stage = CONNECTING;
    c->writable = true;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0) die("epoll_ctl: %s", strerror(errno));
    if (role != POST) pending++;
}

static void connected(conn_t *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) die("connect to %s:%d: %s", host, port, strerror(error));
    c->stage = UPGRADING;
    if (c->role == POST) {
        c->stage = OPEN;
    } else {
        char request[1024];
        int n = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                         c->role == CONTROL ? control_path : path, host, port);
        queue(c, request, (size_t)n);
    }
    flush_out(c);
}

static void turn(int wait_ms, bool *ticked, bool *told) {
    static struct epoll_event events[1024];
    int n = epoll_wait(poll_fd, events, 1024, wait_ms);
    for (int i = 0; i < n; i++) {
        conn_t *c = events[i].data.ptr;
        if (c == NULL) {
            uint64_t count;
            if (read(timer_fd, &count, sizeof count) > 0) *ticked = true;
        } else if (c == (conn_t *)&poll_fd) {
            char line[64];
            if (read(STDIN_FILENO, line, sizeof line) >= 0) *told = true;
            epoll_ctl(poll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        } else if (c->stage == CONNECTING) {
            connected(c);
        } else if (c->stage != CLOSED) {
            if (events[i].events & EPOLLOUT) flush_out(c);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
    }
}

/* False where the descriptor cannot be polled: a file or /dev/null. */
static bool watch(int fd, void *tag) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = tag};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e) == 0) return true;
    if (errno != EPERM) die("epoll_ctl: %s", strerror(errno));
    return false;
}

/* ---- the run ---------------------------------------------------------------------------------------- */

static double connect_all(void) {
    uint64_t begin = monotonic(), deadline = begin + (uint64_t)(timeout_s * 1e9);
    bool ticked = false, told = false, needs_text = await_text != NULL;
    uint32_t dialled = 0;
    while (opened < clients || (needs_text && proven < clients)) {
        while (dialled < clients && pending < concurrency) dial(&conns[dialled++], SUBSCRIBER);
        turn(100, &ticked, &told);
        if (monotonic() > deadline) die("%u of %u connections open, %u ready, after %g s", opened, clients, proven, timeout_s);
    }
    return (double)(monotonic() - begin) / 1e9;
}

static void join_publisher(void) {
    uint64_t deadline = monotonic() + (uint64_t)(timeout_s * 1e9);
    bool ticked = true, told = false;
    control = &conns[clients];
    dial(control, CONTROL);
    if (protocol == MISSION && shape == BURST) {
        post = &conns[clients + 1];
        dial(post, POST);
    }
    while (control->stage != OPEN || (post != NULL && post->stage != OPEN)) turn(100, &ticked, &told);
    proven = 0;
    for (uint32_t i = 0; i < clients; i++) conns[i].proven = false;
    arm_timer(1e-3, 1.0);
    while (proven < clients) {
        if (ticked) probe();
        ticked = false;
        turn(100, &ticked, &told);
        if (monotonic() > deadline) die("only %u of %u subscribers have had the probe", proven, clients);
    }
    arm_timer(0, 0);
}

static void wait_for_word(void) {
    bool ticked = false, told = !watch(STDIN_FILENO, &poll_fd);
    printf("ready\n");
    fflush(stdout);
    while (!told) turn(1000, &ticked, &told);
}

static void run_shape(void) {
    uint64_t deadline = started_ns + (uint64_t)(timeout_s * 1e9);
    conn_t *witness = &conns[clients - 1];
    bool ticked = false, told = false;
    if (shape == BURST || shape == TICK) next_batch();
    if (shape == RATE) arm_timer(1 / rate, 1 / rate);
    while (finished + closed_early < clients && monotonic() < deadline) {
        turn(spin ? 0 : 100, &ticked, &told);
        uint32_t last = published - 1;
        if (shape == TICK && witness->next > last && published <= messages) next_batch();
        if (shape == BURST && delivered >= (uint64_t)last * clients && published <= messages) next_batch();
        if (shape == RATE && ticked && published <= messages) publish(1);
        ticked = false;
    }
    if (ended_ns == 0) ended_ns = monotonic();
    /* a little longer, for what must not come: a double */
    uint64_t grace = monotonic() + 100000000u;
    while (monotonic() < grace) turn(20, &ticked, &told);
}

static double own_cpu(void) { return (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9; }

static void options(int argc, char **argv) {
    static const struct option known[] = {
        {"host", 1, 0, 'h'},     {"port", 1, 0, 'p'},  {"path", 1, 0, 'u'},        {"control-path", 1, 0, 'c'},
        {"protocol", 1, 0, 'P'}, {"clients", 1, 0, 'n'}, {"messages", 1, 0, 'm'},  {"shape", 1, 0, 's'},
        {"batch", 1, 0, 'b'},    {"rate", 1, 0, 'r'},  {"size", 1, 0, 'z'},        {"first", 1, 0, 'f'},
        {"await", 1, 0, 'a'},    {"concurrency", 1, 0, 'k'}, {"timeout", 1, 0, 't'}, {"post-path", 1, 0, 'o'},
        {"spin", 0, 0, 'S'},     {0, 0, 0, 0}};
    static const char *protocols[] = {"mission", "plain", "socketio"};
    static const char *shapes[] = {"burst", "tick", "rate", "none", "idle"};
    int option, found;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'h': host = optarg; break;
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'c': control_path = optarg; break;
        case 'o': post_path = optarg; break;
        case 'n': clients = (uint32_t)atoi(optarg); break;
        case 'm': messages = (uint32_t)atoi(optarg); break;
        case 'b': batch = (uint32_t)atoi(optarg); break;
        case 'k': concurrency = (uint32_t)atoi(optarg); break;
        case 'z': event_size = (uint32_t)atoi(optarg); break;
        case 'S': spin = true; break;
        case 'r': rate = atof(optarg); break;
        case 't': timeout_s = atof(optarg); break;
        case 'f': first_text = optarg; break;
        case 'a': await_text = optarg; break;
        case 'P':
            for (found = 0; found < 3 && strcmp(optarg, protocols[found]) != 0; found++) {}
            if (found == 3) die("unknown protocol %s", optarg);
            protocol = (protocol_t)found;
            break;
        case 's':
            for (found = 0; found < 5 && strcmp(optarg, shapes[found]) != 0; found++) {}
            if (found == 5) die("unknown shape %s", optarg);
            shape = (shape_t)found;
            break;
        default: exit(2);
        }
    }
    if (port <= 0 || clients == 0 || messages == 0 || batch == 0 || concurrency == 0 || rate <= 0) {
        die("--port, --clients, --messages, --batch, --concurrency and --rate must be above zero");
    }
}

int main(int argc, char **argv) {
    options(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    conns = calloc(clients + 2, sizeof *conns);
    input = malloc(CARRY_SIZE + READ_SIZE);
    text = malloc(text_cap = 1 << 20);
    if (poll_fd < 0 || timer_fd < 0 || conns == NULL || input == NULL || text == NULL) die("no resources");
    watch(timer_fd, NULL);

    double cpu = 0, connect_s;
    started_ns = monotonic();
    connect_s = connect_all();
    if (shape == IDLE) {
        wait_for_word();
    } else {
        if (shape != NONE) {
            join_publisher();
            wait_for_word();
            started_ns = monotonic();
            cpu = own_cpu();
        }
        run_shape();
    }
    double seconds = ended_ns > started_ns ? (double)(ended_ns - started_ns) / 1e9 : 0;
    uint64_t expected = shape == IDLE ? 0 : (uint64_t)clients * messages;
    printf("{\"clients\":%u,\"connect_s\":%.6f,\"seconds\":%.6f,\"expected\":%llu,\"delivered\":%llu,\"lost\":%llu,"
           "\"duplicates\":%llu,\"reordered\":%llu,\"closed\":%u,\"refused\":%u,\"unknown\":%u,\"bytes\":%.1f,"
           "\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,\"own_cpu_s\":%.6f}\n",
           clients, connect_s, seconds, (unsigned long long)expected, (unsigned long long)delivered,
           (unsigned long long)(expected - delivered), (unsigned long long)duplicates, (unsigned long long)reordered,
           closed_early, refused, protocol_errors,
           delivered ? (double)payload_bytes / (double)delivered : 0.0, quantile_ms(0.5), quantile_ms(0.99),
           (double)latency_max / 1e6, own_cpu() - cpu);
    return 0;
}
