/* A disk that is watched and fails: preloaded into a real node, it stands between the node and every file below one
 * folder. Each call that changes such a file is a boundary, counted from 1 in the order in which they happen.
 *
 *   FAULT_FOLDER   the folder
 *   FAULT_RECORD   a file that every boundary is written to once it is done: one record each, see `record`
 *   FAULT_KILL_AT  the process is killed at this boundary: of a write half is done, of anything else nothing
 *   FAULT_FULL_AT  from this boundary on nothing can be written, as on a full disk
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE = 2, SYNC = 3, UNLINK = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t boundaries;
static int record_fd = -1;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *path = getenv("FAULT_RECORD");
    if (path) record_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static uint64_t number(const char *name) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static int is_watched(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether `fd` is a file below the folder, and which. */
static int watched(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_watched(path);
}

/* Kind, length of the path, offset, length of the data, path, data; numbers in the machine's order. */
static void record(uint8_t kind, const char *path, uint64_t offset, const void *data, uint64_t length) {
    if (record_fd < 0) return;
    uint32_t path_length = strlen(path);
    size_t size = 1 + 4 + 8 + 8 + path_length + length;
    char *bytes = malloc(size), *at = bytes;
    if (!bytes) abort();
    *at++ = kind;
    memcpy(at, &path_length, 4), at += 4;
    memcpy(at, &offset, 8), at += 8;
    memcpy(at, &length, 8), at += 8;
    memcpy(at, path, path_length), at += path_length;
    if (length) memcpy(at, data, length);
    if (real_write(record_fd, bytes, size) != (ssize_t)size) abort();
    free(bytes);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    pause();
}

/* One more boundary: whether the disk is full by now. Ends the process where that was asked, after `half`. */
static int next_boundary(void (*half)(void *), void *of) {
    uint64_t kill_at = number("FAULT_KILL_AT"), full_at = number("FAULT_FULL_AT");
    boundaries++;
    if (kill_at && boundaries == kill_at) {
        if (half) half(of);
        die();
    }
    return full_at && boundaries >= full_at;
}

struct piece {
    int fd;
    const void *data;
    size_t length;
    off_t offset;
};

static void write_half(void *of) {
    struct piece *piece = of;
    if (real_pwrite(piece->fd, piece->data, piece->length / 2, piece->offset) < 0) abort();
}

static ssize_t write_at(int fd, const void *data, size_t length, off_t offset, const char *path) {
    struct piece piece = {fd, data, length, offset};
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    if (next_boundary(write_half, &piece)) {
        errno = ENOSPC;
    } else {
        done = real_pwrite(fd, data, length, offset);
        if (done > 0) record(WRITE, path, offset, data, done);
    }
    int failure = errno;
    pthread_mutex_unlock(&lock);
    errno = failure;
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    char path[PATH_MAX];
    if (!watched(fd, path)) return real_pwrite(fd, data, length, offset);
    return write_at(fd, data, length, offset, path);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!watched(fd, path)) return real_write(fd, data, length);
    off_t offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = write_at(fd, data, length, offset, path);
    if (done > 0) lseek(fd, offset + done, SEEK_SET);
    return done;
}

int ftruncate64(int fd, off_t length) {
    char path[PATH_MAX];
    if (!watched(fd, path)) return real_ftruncate(fd, length);
    pthread_mutex_lock(&lock);
    next_boundary(NULL, NULL);
    int done = real_ftruncate(fd, length);
    if (done == 0) record(TRUNCATE, path, length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_by(int (*real)(int), int fd) {
    char path[PATH_MAX];
    if (!watched(fd, path)) return real(fd);
    pthread_mutex_lock(&lock);
    next_boundary(NULL, NULL);
    int done = real(fd);
    if (done == 0) record(SYNC, path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return sync_by(real_fsync, fd); }

int fdatasync(int fd) { return sync_by(real_fdatasync, fd); }

int unlink(const char *path) {
    if (!is_watched(path)) return real_unlink(path);
    pthread_mutex_lock(&lock);
    next_boundary(NULL, NULL);
    int done = real_unlink(path);
    if (done == 0) record(UNLINK, path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
