/* The floors: what a broadcast costs in C with nothing around it, one thread and one epoll.
 *
 *     floor naive        one send() for every client and event
 *     floor coalescing   one send() for every client and control message, the frames joined once
 *
 * Prints its port. Newline-separated events that arrive at /control go to everybody else. What a socket does not
 * take at once waits in a buffer of that client.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10, REQUEST_MAX = 16 << 10 };

typedef struct {
    int fd;
    size_t place; /* in `subscribers` */
    bool open, control;
    uint8_t *in, *out;
    size_t in_len, in_cap, out_len, out_off, out_cap;
} conn_t;

static int poll_fd;
static bool coalescing;
static conn_t **subscribers;
static size_t subscriber_count, subscriber_cap;

static void *grow(void *old, size_t size) {
    void *block = realloc(old, size);
    if (block == NULL) exit(2);
    return block;
}

/* ---- SHA-1 and base64, for the handshake ------------------------------------------------------------ */

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const uint8_t *p) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    }
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t t = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* `key` has 24 characters, so with the GUID of RFC 6455 there are 60 bytes: two blocks. */
static void accept_key(const uint8_t *key, char out[29]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t blocks[128] = {0}, digest[21] = {0};
    memcpy(blocks, key, 24);
    memcpy(blocks + 24, guid, 36);
    blocks[60] = 0x80;
    blocks[126] = 480 >> 8;
    blocks[127] = 480 & 255;
    sha1_block(h, blocks);
    sha1_block(h, blocks + 64);
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0; i < 7; i++) {
        uint32_t v = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++) out[4 * i + j] = letters[v >> (18 - 6 * j) & 63];
    }
    out[27] = '=';
    out[28] = 0;
}

/* ---- connections ------------------------------------------------------------------------------------ */

static void want(conn_t *c, bool out) {
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void drop(conn_t *c) {
    close(c->fd);
    if (c->open && !c->control) {
        subscribers[c->place] = subscribers[--subscriber_count];
        subscribers[c->place]->place = c->place;
    }
    free(c->in);
    free(c->out);
    free(c);
}

static void flush_out(conn_t *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
        if (n < 0) return;
        c->out_off += (size_t)n;
    }
    c->out_len = c->out_off = 0;
    want(c, false);
}

static void deliver(conn_t *c, const uint8_t *data, size_t len) {
    if (c->out_len == 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n == (ssize_t)len) return;
        if (n < 0 && errno != EAGAIN) return; /* the read side tells */
        if (n > 0) data += n, len -= (size_t)n;
        want(c, true);
    }
    if (c->out_len + len > c->out_cap) c->out = grow(c->out, c->out_cap = (c->out_len + len) * 2);
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

static void everybody(const uint8_t *data, size_t len) {
    for (size_t i = 0; i < subscriber_count; i++) deliver(subscribers[i], data, len);
}

static void broadcast(const uint8_t *p, size_t len) {
    static uint8_t *joined;
    static size_t cap;
    size_t used = 0;
    for (const uint8_t *end = p + len; p < end;) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        size_t size = (size_t)((stop == NULL ? end : stop) - p);
        if (used + size + 4 > cap) joined = grow(joined, cap = (used + size + 4) * 2);
        joined[used++] = 0x81;
        if (size < 126) {
            joined[used++] = (uint8_t)size;
        } else {
            joined[used++] = 126;
            joined[used++] = (uint8_t)(size >> 8);
            joined[used++] = (uint8_t)size;
        }
        memcpy(joined + used, p, size);
        used += size;
        p += size + 1;
        if (!coalescing) {
            everybody(joined, used);
            used = 0;
        }
    }
    if (used > 0) everybody(joined, used);
}

static size_t handshake(conn_t *c) {
    const uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    const uint8_t *key = memmem(c->in, c->in_len, "Sec-WebSocket-Key: ", 19);
    if (end == NULL || key == NULL || end - key < 43) return 0;
    char accept[29], answer[256];
    accept_key(key + 19, accept);
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    c->control = memcmp(c->in, "GET /control ", 13) == 0;
    c->open = true;
    if (!c->control) {
        if (subscriber_count == subscriber_cap) {
            subscriber_cap = subscriber_cap * 2 + 64;
            subscribers = grow(subscribers, subscriber_cap * sizeof *subscribers);
        }
        c->place = subscriber_count;
        subscribers[subscriber_count++] = c;
    }
    deliver(c, (const uint8_t *)answer, (size_t)n);
    return (size_t)(end + 4 - c->in);
}

/* One masked frame of a client; how many bytes it took, 0 while it is incomplete. */
static size_t frame(conn_t *c, uint8_t *p, size_t len) {
    if (len < 6) return 0;
    size_t size = p[1] & 127, head = 2;
    if (size == 126) {
        if (len < 8) return 0;
        size = (size_t)p[2] << 8 | p[3];
        head = 4;
    } else if (size == 127) {
        if (len < 14) return 0;
        size = 0;
        for (int i = 2; i < 10; i++) size = size << 8 | p[i];
        head = 10;
    }
    if (len < head + 4 || len - head - 4 < size) return 0;
    uint8_t *mask = p + head, *body = mask + 4;
    for (size_t i = 0; i < size; i++) body[i] ^= mask[i & 3];
    if (c->control && (p[0] & 15) == 1) broadcast(body, size);
    return head + 4 + size;
}

static bool readable(conn_t *c) {
    if (c->in_cap < c->in_len + READ_SIZE) c->in = grow(c->in, c->in_cap = (c->in_len + READ_SIZE) * 2);
    ssize_t n = recv(c->fd, c->in + c->in_len, READ_SIZE, 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    c->in_len += (size_t)n;
    size_t used = 0, took = 1;
    if (!c->open) {
        used = handshake(c);
        if (used == 0) return c->in_len < REQUEST_MAX;
    }
    while (took > 0 && used < c->in_len) {
        took = frame(c, c->in + used, c->in_len - used);
        used += took;
    }
    c->in_len -= used;
    memmove(c->in, c->in + used, c->in_len);
    if (c->in_len == 0) {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
    return true;
}

int main(int argc, char **argv) {
    coalescing = argc == 2 && strcmp(argv[1], "coalescing") == 0;
    if (!coalescing && !(argc == 2 && strcmp(argv[1], "naive") == 0)) {
        fprintf(stderr, "usage: floor naive|coalescing\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    poll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &e) < 0) {
        perror("floor");
        return 2;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            conn_t *c = events[i].data.ptr;
            if (c == NULL) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c = memset(grow(NULL, sizeof *c), 0, sizeof *c);
                c->fd = fd;
                e = (struct epoll_event){.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e);
                continue;
            }
            if (events[i].events & EPOLLOUT) flush_out(c);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !readable(c)) drop(c);
        }
    }
}
