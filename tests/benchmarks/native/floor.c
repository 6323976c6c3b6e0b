/* floor: the cheapest server of event streams that plain C makes: one epoll loop, one send() for an event and a stream.
 *
 *   floor PORT
 *
 * It listens on 127.0.0.1. Every GET, whatever its path, is answered by a chunked event stream that begins with a
 * comment and stays open. Every line of a POST's body is the data of one event: it is framed once and sent to all
 * streams before the next line is looked at. A stream whose socket does not take a whole frame is dropped. The answer
 * to a POST is {"streams": N, "dropped": D}: how many streams are left, and how many were dropped so far. Connections
 * that publish are kept alive and may pipeline. Only what this needs of HTTP is understood.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"

enum {
    BATCH = 512,          /* events taken from epoll at once */
    BACKLOG = 4096,       /* connections that wait to be accepted */
    FIRST_SIZE = 4096,    /* of a request's buffer, which doubles */
    MOST_SIZE = 64 << 20, /* of a request */
    LINE_SIZE = 1 << 16,  /* of an event's data */
    MOST_FILES = 1 << 20, /* where the system sets hardly a limit */
    PUBLISHER = -1,       /* a peer's `place` until it asks for a stream */
};

/* One connection; peers are found by their socket's number, so that an event for one that was just closed meets another
 * peer at worst, who then has nothing to read. */
struct peer {
    bool is_open;
    int place;     /* where its socket is in `streams` */
    char *request; /* what arrived of a request, or of several */
    size_t length, size;
};

static struct peer *peers;
static int *streams; /* their sockets, without gaps */
static int stream_count, dropped_count;
static unsigned long event_number;
static int poller;

/* --- connections */

static void forget_request(struct peer *peer)
{
    free(peer->request);
    peer->request = NULL;
    peer->length = peer->size = 0;
}

static void hang_up(int socket)
{
    struct peer *peer = &peers[socket];
    if (peer->place != PUBLISHER) {
        int last = streams[--stream_count]; /* takes the place */
        streams[peer->place] = last;
        peers[last].place = peer->place;
    }
    forget_request(peer);
    peer->is_open = false;
    close(socket);
}

static void accept_all(int listener)
{
    int socket, on = 1;
    while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = socket};
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peers[socket] = (struct peer){.is_open = true, .place = PUBLISHER};
        epoll_ctl(poller, EPOLL_CTL_ADD, socket, &wanted);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        err(1, "accept");
}

/* --- what they ask for; each answers whether the connection goes on */

static bool send_whole(int socket, const char *bytes, size_t length)
{
    return send(socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

static bool open_stream(int socket)
{
    static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n8\r\n: open\n\n\r\n";
    peers[socket].place = stream_count;
    streams[stream_count++] = socket;
    forget_request(&peers[socket]);
    return send_whole(socket, HEAD, sizeof HEAD - 1);
}

/* From the last to the first: one that is dropped is replaced by one that was served already. */
static void send_to_all(const char *frame, size_t length)
{
    for (int place = stream_count - 1; place >= 0; place--) {
        if (!send_whole(streams[place], frame, length)) {
            dropped_count++;
            hang_up(streams[place]);
        }
    }
}

static void publish(const char *data, size_t length)
{
    static char event[LINE_SIZE + 64], frame[LINE_SIZE + 128];
    int size = snprintf(event, sizeof event, "id: %lu\ndata: %.*s\n\n", ++event_number, (int)length, data);
    send_to_all(frame, (size_t)sprintf(frame, "%x\r\n%s\r\n", (unsigned)size, event));
}

static bool publish_lines(int socket, const char *body, size_t length)
{
    static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
    char answer[256], content[64];
    for (const char *at = body, *limit = body + length, *line_end; at < limit; at = line_end + 1) {
        line_end = memchr(at, '\n', (size_t)(limit - at));
        line_end = line_end ? line_end : limit;
        if (line_end - at > LINE_SIZE)
            return false;
        if (line_end > at)
            publish(at, (size_t)(line_end - at));
    }
    int size = sprintf(content, "{\"streams\": %d, \"dropped\": %d}\n", stream_count, dropped_count);
    int whole = sprintf(answer, "%s%d\r\n\r\n%s", HEAD, size, content);
    return send_whole(socket, answer, (size_t)whole);
}

/* --- requests */

/* Of a head that ends with a NUL; without the header there is no body. */
static size_t content_length(const char *head)
{
    const char *header = strcasestr(head, "\r\nContent-Length:");
    return header ? strtoul(header + 17, NULL, 10) : 0;
}

/* Serves the first request if it is whole. How many bytes it had; 0 if it is not whole yet, -1 to hang up. */
static ssize_t serve_first(int socket)
{
    struct peer *peer = &peers[socket];
    char *head_end = memmem(peer->request, peer->length, "\r\n\r\n", 4);
    if (!head_end)
        return 0;
    if (strncmp(peer->request, "GET ", 4) == 0)
        return open_stream(socket) ? 0 : -1;
    if (strncmp(peer->request, "POST ", 5) != 0)
        return -1;
    *head_end = '\0';
    size_t body_length = content_length(peer->request);
    *head_end = '\r';
    size_t whole = (size_t)(head_end + 4 - peer->request) + body_length;
    if (body_length > MOST_SIZE)
        return -1;
    if (whole > peer->length)
        return 0;
    return publish_lines(socket, head_end + 4, body_length) ? (ssize_t)whole : -1;
}

static void serve_requests(int socket)
{
    struct peer *peer = &peers[socket];
    for (ssize_t served; peer->length > 0; peer->length -= (size_t)served) {
        served = serve_first(socket);
        if (served < 0)
            hang_up(socket);
        if (served <= 0)
            return;
        memmove(peer->request, peer->request + served, peer->length - (size_t)served);
    }
}

/* Makes room for more of a request; what a stream sends after its request is of no interest. */
static bool has_room(struct peer *peer)
{
    if (peer->place != PUBLISHER)
        peer->length = 0;
    if (peer->length + 1 < peer->size)
        return true;
    peer->size = peer->size ? 2 * peer->size : FIRST_SIZE;
    peer->request = realloc(peer->request, peer->size);
    if (!peer->request)
        err(1, "memory for a request");
    return peer->size <= MOST_SIZE;
}

static void receive(int socket)
{
    struct peer *peer = &peers[socket];
    if (!peer->is_open)
        return;
    ssize_t got = has_room(peer) ? recv(socket, peer->request + peer->length, peer->size - peer->length - 1, 0) : 0;
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        hang_up(socket);
        return;
    }
    peer->length += (size_t)got;
    peer->request[peer->length] = '\0';
    if (peer->place == PUBLISHER)
        serve_requests(socket);
}

/* --- the start */

static int listen_on(uint16_t port)
{
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(0, port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG))
        err(1, "port %d of 127.0.0.1", port);
    return listener;
}

int main(int count, char **words)
{
    int port = count == 2 ? atoi(words[1]) : 0;
    if (port < 1 || port > 65535)
        errx(2, "usage: floor PORT");
    rlim_t files = raise_file_limit();
    files = files < MOST_FILES ? files : MOST_FILES;
    peers = calloc(files, sizeof *peers);
    streams = calloc(files, sizeof *streams);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!peers || !streams || poller < 0)
        err(1, "start");
    int listener = listen_on((uint16_t)port);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, ready[BATCH];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        int ready_count = epoll_wait(poller, ready, BATCH, -1);
        for (int i = 0; i < ready_count; i++) {
            if (ready[i].data.fd == listener)
                accept_all(listener);
            else
                receive(ready[i].data.fd);
        }
    }
}
