/* What both programs share: addresses of loopback, and as many files as the system grants. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/resource.h>

/* `offset` above 127.0.0.1; port 0 is any. */
static inline struct sockaddr_in loopback(uint32_t offset, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset);
    return address;
}

/* Raises the soft limit to the hard one; how many files that is. */
static inline rlim_t raise_file_limit(void)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur;
}

#endif
