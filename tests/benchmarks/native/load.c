/* load: holds event streams open against a server on 127.0.0.1 and counts the marked events that arrive; what its
 * arguments mean stands in load_options.h.
 *
 * A marked event is a line that begins with "data:" and holds, within its first LINE bytes, the mark followed by
 * CLOCK_MONOTONIC nanoseconds in decimal; how old it is on arrival is recorded. Lines end with LF or CRLF and may
 * arrive in any pieces. Chunked framing is not taken off: its size lines look like lines of no interest, and servers
 * send whole frames, so that no chunk ends within a line.
 *
 * Commands come on stdin, one a line. Each but `quit` is answered by one JSON object on a line of stdout, the state:
 *   seen                  at once
 *   open SECONDS          when no stream is on its way any more: each is open, refused or closed; or in SECONDS
 *   events EACH SECONDS   when every reading stream that is still there had EACH marked events; or in SECONDS
 *   reset                 after forgetting what was counted; connections stay
 *   reconnect [HEADER]    after closing all; they connect again with this header line added, counted from zero
 *   quit                  so does the end of stdin
 * A command that comes while another still waits cuts that one short.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "latencies.h"
#include "load_options.h"
#include "loopback.h"

enum {
    LINE = 256,            /* bytes of a line that are looked at */
    MOST_DIGITS = 18,      /* of a time, so that it fits a long */
    COMMAND = 4096,        /* bytes of a command */
    BATCH = 1024,          /* events taken from epoll at once */
    STALLED_BUFFER = 4096, /* receive buffer of a stream that stalls: it is to be full soon */
    SPARE_FILES = 16,
};

/* In the order of a stream's life. OPEN had a byte of the body; REFUSED had no answer or not 200, CLOSED had 200. */
enum state { IDLE, CONNECTING, ASKED, HEADERS, BODY, OPEN, STALLED, REFUSED, CLOSED, STATES };

struct stream {
    int socket;
    enum state state;
    long events;     /* marked ones since the last reset */
    size_t kept;     /* bytes in `line` */
    char line[LINE]; /* the beginning of a line whose end has not arrived yet */
};

/* What a reset forgets; times in nanoseconds. */
struct counts {
    long events, bytes, first_at, last_at, cpu_before;
    struct latencies latencies;
};

/* What the last command waits for: no stream on its way, or no live reading stream that is short of `each` events. */
struct wait {
    enum { NOTHING, OPENED, EVENTS } what;
    long until, each, short_of;
};

/* The program is one load; its parts share these. */
static struct options options;
static struct stream *streams;
static struct counts counts;
static struct wait waiting;
static long in_state[STATES]; /* how many streams are in each state */
static long next_to_start, ever_open;
static long began_at, opened_at;   /* when the first began to connect, and when the last opened */
static char added_header[COMMAND]; /* what `reconnect` brought */
static int poller;

/* --- the life of a stream */

static void move(struct stream *stream, enum state state)
{
    in_state[stream->state]--;
    in_state[state]++;
    stream->state = state;
}

static long number_of(const struct stream *stream) { return options.first + (stream - streams); }
static bool is_reading(const struct stream *stream) { return number_of(stream) >= options.stalled; }

static bool is_short(const struct stream *stream)
{
    return is_reading(stream) && stream->state <= OPEN && stream->events < waiting.each;
}

static void end(struct stream *stream)
{
    waiting.short_of -= is_short(stream); /* nobody waits for its events any more */
    close(stream->socket);
    move(stream, stream->state < HEADERS ? REFUSED : CLOSED);
}

/* A socket that binds to an address alone chooses its port at connect, free towards this server: an address is then
 * good for all its ports. */
static void bind_source(const struct stream *stream)
{
    int on = 1;
    struct sockaddr_in source = loopback(256 + (uint32_t)(number_of(stream) % options.sources), 0);
    setsockopt(stream->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(stream->socket, (struct sockaddr *)&source, sizeof source))
        err(1, "bind of stream %ld", number_of(stream));
}

static void start(struct stream *stream)
{
    int buffer = STALLED_BUFFER;
    struct sockaddr_in server = loopback(0, (uint16_t)options.port);
    stream->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->socket < 0)
        err(1, "socket of stream %ld", number_of(stream));
    move(stream, CONNECTING);
    bind_source(stream);
    if (!is_reading(stream))
        setsockopt(stream->socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    connect(stream->socket, (struct sockaddr *)&server, sizeof server); /* that it failed shows where it asks */
    /* By edges: added once for good, and epoll does not look again at a stream that was just emptied. */
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = stream};
    epoll_ctl(poller, EPOLL_CTL_ADD, stream->socket, &wanted);
}

static void start_more(void)
{
    while (next_to_start < options.streams && in_state[CONNECTING] + in_state[ASKED] < options.in_flight)
        start(&streams[next_to_start++]);
}

static void ask(struct stream *stream)
{
    char request[4 * HEADERS_SIZE];
    const char *path = options.paths[number_of(stream) % options.path_count];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\nAccept: text/event-stream\r\n%s%s\r\n", path,
                          options.port, options.headers, added_header);
    if (length >= (int)sizeof request)
        errx(2, "a request longer than %zu bytes", sizeof request);
    if (send(stream->socket, request, (size_t)length, MSG_NOSIGNAL) == length)
        move(stream, ASKED);
    else
        end(stream); /* not connected: an empty buffer would take any request */
}

static void has_opened(struct stream *stream)
{
    ever_open++;
    opened_at = now();
    move(stream, is_reading(stream) ? OPEN : STALLED);
    if (!is_reading(stream))
        epoll_ctl(poller, EPOLL_CTL_DEL, stream->socket, NULL);
}

/* --- what a stream says */

static void count_event(struct stream *stream, long published_at, long arrived_at)
{
    record_latency(&counts.latencies, arrived_at - published_at);
    if (counts.events++ == 0)
        counts.first_at = arrived_at;
    counts.last_at = arrived_at;
    if (++stream->events == waiting.each)
        waiting.short_of--;
}

static void take_data(struct stream *stream, const char *line, size_t length, long arrived_at)
{
    if (length < 5 || memcmp(line, "data:", 5) != 0)
        return;
    const char *limit = line + (length < LINE ? length : LINE);
    const char *mark = memmem(line + 5, (size_t)(limit - line) - 5, options.mark, options.mark_length);
    if (!mark)
        return;
    const char *digits = mark + options.mark_length, *at = digits;
    long published_at = 0;
    for (; at < limit && at < digits + MOST_DIGITS && *at >= '0' && *at <= '9'; at++)
        published_at = published_at * 10 + (*at - '0');
    if (at > digits && at < line + LINE) /* a number may go on behind the limit: better no event than a wrong time */
        count_event(stream, published_at, arrived_at);
}

static bool is_200(const char *line, size_t length)
{
    return length >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && memcmp(line + 8, " 200", 4) == 0;
}

static void take_line(struct stream *stream, const char *line, size_t length, long arrived_at)
{
    if (stream->state == OPEN)
        take_data(stream, line, length, arrived_at);
    else if (stream->state == HEADERS && length <= 1) /* nothing, or the CR */
        move(stream, BODY);
    else if (stream->state == ASKED && is_200(line, length))
        move(stream, HEADERS);
    else if (stream->state == ASKED)
        end(stream);
}

static void keep(struct stream *stream, const char *bytes, size_t length)
{
    size_t room = LINE - stream->kept, count = length < room ? length : room;
    memcpy(stream->line + stream->kept, bytes, count);
    stream->kept += count;
}

static void take(struct stream *stream, const char *at, const char *limit, long arrived_at)
{
    counts.bytes += limit - at;
    while (at < limit) {
        if (stream->state == BODY)
            has_opened(stream);
        const char *newline = memchr(at, '\n', (size_t)(limit - at));
        size_t length = (size_t)((newline ? newline : limit) - at);
        if (!newline || stream->kept)
            keep(stream, at, length);
        if (!newline)
            return;
        if (stream->kept)
            take_line(stream, stream->line, stream->kept, arrived_at);
        else
            take_line(stream, at, length, arrived_at);
        stream->kept = 0;
        at = newline + 1;
    }
}

/* A read that does not fill the buffer has emptied the socket, and what comes later is another edge. An end that is
 * there already is not: then it reads on until it meets it. */
static void receive(struct stream *stream, bool has_end)
{
    static char buffer[1 << 18];
    while (stream->state >= ASKED && stream->state <= OPEN) {
        ssize_t got = recv(stream->socket, buffer, sizeof buffer, 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got > 0)
            take(stream, buffer, buffer + got, now());
        else
            end(stream);
        if (got < (ssize_t)sizeof buffer && !has_end)
            return;
    }
}

/* --- commands */

static void reset(void)
{
    memset(&counts, 0, sizeof counts);
    counts.cpu_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < options.streams; i++)
        streams[i].events = 0;
}

static void connect_all(const char *header)
{
    snprintf(added_header, sizeof added_header, *header ? "%s\r\n" : "%s", header);
    began_at = now();
    for (long i = 0; i < options.streams; i++) {
        if (streams[i].state > IDLE && streams[i].state < REFUSED)
            close(streams[i].socket);
        move(&streams[i], IDLE);
        streams[i].kept = 0;
    }
    next_to_start = ever_open = opened_at = 0;
    reset();
}

/* Least and most events of the reading streams that were open, and how many those are. */
static void print_share(void)
{
    long reading = 0, least = 0, most = 0;
    for (const struct stream *stream = streams; stream < streams + options.streams; stream++) {
        if (is_reading(stream) && (stream->state == OPEN || stream->state == CLOSED)) {
            least = reading++ == 0 || stream->events < least ? stream->events : least;
            most = stream->events > most ? stream->events : most;
        }
    }
    printf("\"reading\": %ld, \"least\": %ld, \"most\": %ld, ", reading, least, most);
}

/* Times are absolute, so that the answers of several processes can be merged. */
static void answer(void)
{
    waiting = (struct wait){.what = NOTHING};
    printf("{\"streams\": %ld, \"open\": %ld, \"refused\": %ld, \"closed\": %ld, \"ever_open\": %ld, ",
           options.streams, in_state[OPEN] + in_state[STALLED], in_state[REFUSED], in_state[CLOSED], ever_open);
    print_share();
    printf("\"began_ns\": %ld, \"opened_ns\": %ld, \"first_ns\": %ld, \"last_ns\": %ld, ", began_at, opened_at,
           counts.first_at, counts.last_at);
    printf("\"events\": %ld, \"bytes\": %ld, \"cpu_ns\": %ld, \"latency_max_ns\": %ld, \"latencies\": ", counts.events,
           counts.bytes, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - counts.cpu_before, counts.latencies.max);
    print_latencies(&counts.latencies);
    puts("}");
    fflush(stdout);
}

static void wait_for(long each, double seconds)
{
    waiting = (struct wait){.what = each ? EVENTS : OPENED, .until = now() + (long)(seconds * 1e9), .each = each};
    for (long i = 0; i < options.streams; i++)
        waiting.short_of += is_short(&streams[i]);
}

static void answer_if_done(void)
{
    long on_their_way = in_state[IDLE] + in_state[CONNECTING] + in_state[ASKED] + in_state[HEADERS] + in_state[BODY];
    long missing = waiting.what == OPENED ? on_their_way : waiting.short_of;
    if (waiting.what && (missing == 0 || now() >= waiting.until))
        answer();
}

static void obey(const char *command)
{
    long each;
    double seconds;
    if (waiting.what)
        answer();
    if (sscanf(command, "open %lf", &seconds) == 1) {
        wait_for(0, seconds);
    } else if (sscanf(command, "events %ld %lf", &each, &seconds) == 2 && each > 0) {
        wait_for(each, seconds);
    } else {
        if (strcmp(command, "quit") == 0)
            exit(0);
        else if (strcmp(command, "reset") == 0)
            reset();
        else if (strncmp(command, "reconnect", 9) == 0)
            connect_all(command + 9 + (command[9] == ' '));
        else if (strcmp(command, "seen") != 0)
            errx(2, "no such command: %s", command);
        answer();
    }
}

static void read_commands(void)
{
    static char text[COMMAND];
    static size_t length;
    ssize_t got = read(STDIN_FILENO, text + length, sizeof text - length);
    if (got <= 0)
        exit(0);
    length += (size_t)got;
    for (char *newline; (newline = memchr(text, '\n', length));) {
        *newline = '\0';
        obey(text);
        length -= (size_t)(newline + 1 - text);
        memmove(text, newline + 1, length);
    }
    if (length == sizeof text)
        errx(2, "a command longer than %d bytes", COMMAND);
}

/* --- the loop */

static int milliseconds_until(long time)
{
    long left = time - now();
    return left > 0 ? (int)(left / 1000000 + 1) : 0;
}

/* Commands are obeyed when a batch is done: `reconnect` gives its streams new sockets. */
static void serve_batch(long until)
{
    struct epoll_event ready[BATCH];
    bool has_command = false;
    int count = epoll_wait(poller, ready, BATCH, milliseconds_until(until));
    for (int i = 0; i < count; i++) {
        struct stream *stream = ready[i].data.ptr;
        if (!stream)
            has_command = true;
        else if (stream->state == CONNECTING)
            ask(stream);
        else
            receive(stream, ready[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    }
    if (has_command)
        read_commands();
}

int main(int count, char **words)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    options = read_options(count, words);
    if (raise_file_limit() < (rlim_t)options.streams + SPARE_FILES)
        errx(1, "%ld streams are more than a process may open", options.streams);
    poller = epoll_create1(EPOLL_CLOEXEC);
    streams = calloc((size_t)options.streams, sizeof *streams);
    if (!streams || epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &wanted))
        err(1, "it takes memory, and a pipe as stdin");
    in_state[IDLE] = options.streams;
    connect_all("");
    for (long end_at = now() + options.seconds * 1000000000L; now() < end_at;) {
        start_more();
        answer_if_done();
        serve_batch(waiting.what && waiting.until < end_at ? waiting.until : end_at);
    }
    errx(3, "ended after its %ld s", options.seconds);
}
