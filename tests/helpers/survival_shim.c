/* Preloaded into a command: the n-th write, rename, fsync, truncation or removal under one folder is its last, or finds no space.

   Dying: half of what was to be written is, then the process gets SIGKILL. Full: from then on no write succeeds, as on a full disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char root[PATH_MAX];
static pid_t owner;
static long seen, last;
static int full;

void survival_arm(const char *folder, long n, int no_space) {
    strncpy(root, folder, sizeof root - 1);
    owner = getpid();
    seen = 0;
    last = n;
    full = no_space;
}

long survival_seen(void) { return seen; }

static int under(const char *path) { return owner == getpid() && strncmp(path, root, strlen(root)) == 0; }

static int mine(int fd) {
    char link[64], path[PATH_MAX];
    if (owner != getpid()) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return under(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether this is the last operation (then it dies), or there is no space for it. */
static int reached(void) {
    seen++;
    if (full) return last && seen >= last;
    return last && seen == last;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define REFUSE do { errno = ENOSPC; return -1; } while (0)

ssize_t write(int fd, const void *data, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (mine(fd) && reached()) {
        if (full) REFUSE;
        real(fd, data, n / 2);
        die();
    }
    return real(fd, data, n);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (mine(fd) && reached()) {
        if (full) REFUSE;
        real(fd, data, n / 2, at);
        die();
    }
    return real(fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { return pwrite64(fd, data, n, at); }

int fsync(int fd) {
    REAL(int, "fsync", int);
    if (mine(fd) && reached() && !full) die();
    return real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    if (mine(fd) && reached() && !full) die();
    return real(fd);
}

int ftruncate64(int fd, off64_t n) {
    REAL(int, "ftruncate64", int, off64_t);
    if (mine(fd) && reached() && !full) die();
    return real(fd, n);
}

int ftruncate(int fd, off_t n) { return ftruncate64(fd, n); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (under(to) && reached() && !full) die();
    return real(from, to);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (under(path) && reached() && !full) die();
    return real(path);
}
