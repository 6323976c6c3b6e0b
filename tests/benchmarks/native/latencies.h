/* Nanoseconds, and a record of latencies in bounded memory: a histogram whose buckets grow, and the exact maximum.
 *
 * It is exact below 2 * STEPS; from there STEPS buckets to each power of two, so that the middle of a bucket is less
 * than 0.4 % off. */
#ifndef LATENCIES_H
#define LATENCIES_H

#include <stdio.h>
#include <time.h>

_Static_assert(sizeof(long) == 8, "nanoseconds are counted in long");

enum { STEP_BITS = 7, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS + 1) * STEPS };

struct latencies {
    long max;
    long in_bucket[BUCKETS];
};

static inline long clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static inline long now(void) { return clock_ns(CLOCK_MONOTONIC); }

static inline long bucket_of(long latency)
{
    if (latency < 2 * STEPS)
        return latency;
    int shift = 63 - STEP_BITS - __builtin_clzl((unsigned long)latency);
    return shift * STEPS + (latency >> shift);
}

static inline long middle_of(long bucket)
{
    if (bucket < 2 * STEPS)
        return bucket;
    long shift = bucket / STEPS - 1;
    return ((bucket - shift * STEPS) << shift) + (1L << shift) / 2;
}

/* A latency below zero, of two clocks that do not quite agree, counts as none. */
static inline void record_latency(struct latencies *latencies, long latency)
{
    latency = latency > 0 ? latency : 0;
    latencies->in_bucket[bucket_of(latency)]++;
    if (latency > latencies->max)
        latencies->max = latency;
}

/* As a list in JSON of [nanoseconds, how often], which merges with others of its kind. */
static inline void print_latencies(const struct latencies *latencies)
{
    const char *before = "[";
    for (long bucket = 0; bucket < BUCKETS; bucket++) {
        if (latencies->in_bucket[bucket]) {
            printf("%s[%ld, %ld]", before, middle_of(bucket), latencies->in_bucket[bucket]);
            before = ", ";
        }
    }
    printf("%s]", *before == '[' ? "[" : "");
}

#endif
