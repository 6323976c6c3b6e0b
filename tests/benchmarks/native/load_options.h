/* The arguments of `load`:
 *
 *   load --port 8000 --paths FILE --streams 1000 [--header 'Name: value']... [--first 0] [--stalled 0]
 *        [--sources 1] [--in-flight 500] [--seconds 120] [--mark t=]
 *
 * Stream i asks for line i mod K of FILE, from the address 127.0.1.(1 + i mod sources); the first `stalled` streams
 * stop reading at the first bytes of the body. Where several processes share the streams, `first` is the i of this
 * one's first. At most `in-flight` streams wait for an answer at a time. After `seconds` the process ends by itself. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_SIZE = 4096 };

struct options {
    long port, streams, first, stalled, sources, in_flight, seconds;
    const char *mark;
    size_t mark_length;
    char **paths;
    long path_count;
    char headers[HEADERS_SIZE]; /* each with its CRLF */
};

static long number(const char *text, long least, long most)
{
    char *rest;
    long value = strtol(text, &rest, 10);
    if (rest == text || *rest || value < least || value > most)
        errx(2, "%s is not a number from %ld to %ld", text, least, most);
    return value;
}

static void read_paths(struct options *options, const char *file)
{
    FILE *lines = fopen(file, "r");
    if (!lines)
        err(2, "%s", file);
    size_t size = 0;
    for (char *line = NULL; getline(&line, &size, lines) > 0; line = NULL) {
        line[strcspn(line, "\n")] = '\0';
        options->paths = realloc(options->paths, (size_t)(options->path_count + 1) * sizeof *options->paths);
        if (!options->paths)
            err(1, "memory for paths");
        options->paths[options->path_count++] = line;
    }
    fclose(lines);
}

static void add_header(struct options *options, const char *line)
{
    size_t used = strlen(options->headers), room = HEADERS_SIZE - used;
    if ((size_t)snprintf(options->headers + used, room, "%s\r\n", line) >= room)
        errx(2, "headers longer than %d bytes", HEADERS_SIZE);
}

static void read_option(struct options *options, int name, const char *value)
{
    switch (name) {
    case 'p': options->port = number(value, 1, 65535); break;
    case 'f': read_paths(options, value); break;
    case 'n': options->streams = number(value, 1, 1000000); break;
    case 'h': add_header(options, value); break;
    case 'i': options->first = number(value, 0, 1000000); break;
    case 'x': options->stalled = number(value, 0, 1000000); break;
    case 'a': options->sources = number(value, 1, 250); break;
    case 'c': options->in_flight = number(value, 1, 100000); break;
    case 's': options->seconds = number(value, 1, 3600); break;
    case 'm': options->mark = value; break;
    default: exit(2); /* getopt has said why */
    }
}

static struct options read_options(int count, char **words)
{
    static const struct option NAMES[] = {
        {"port", 1, NULL, 'p'},    {"paths", 1, NULL, 'f'},   {"streams", 1, NULL, 'n'},   {"header", 1, NULL, 'h'},
        {"first", 1, NULL, 'i'},   {"stalled", 1, NULL, 'x'}, {"sources", 1, NULL, 'a'},   {"in-flight", 1, NULL, 'c'},
        {"seconds", 1, NULL, 's'}, {"mark", 1, NULL, 'm'},    {0},
    };
    struct options options = {.sources = 1, .in_flight = 500, .seconds = 120, .mark = "t="};
    for (int name; (name = getopt_long(count, words, "", NAMES, NULL)) != -1;)
        read_option(&options, name, optarg);
    options.mark_length = strlen(options.mark);
    if (optind < count || !options.port || !options.path_count || !options.streams || !options.mark_length)
        errx(2, "it takes --port, --paths and --streams; load_options.h tells more");
    return options;
}

#endif
