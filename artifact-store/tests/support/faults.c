/*
 * Preloaded into a test's child process: at one of the calls by which it changes what is below a
 * directory, the process is killed, or the disk is full from there on.
 *
 * ARTIFACT_FAULT_BELOW  the directory
 * ARTIFACT_FAULT        "kill", "full", or "names": from that sync of a directory on all of those fail
 * ARTIFACT_FAULT_AT     which of the calls, or of those syncs, from 1 on; 0 for none
 * ARTIFACT_FAULT_COUNT  the file that gets the number of calls
 *
 * The child gives its signals by the removal of files that nobody has: "fault: arm" begins to count,
 * "fault: room" ends a full disk, "fault: end" writes the number. So does the removal of a file
 * named "reserve" end a full disk: that is what it is for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls, named;
static atomic_int armed, full;
static const char *below, *kind;
static size_t below_length;
static long at;

__attribute__((constructor)) static void begin(void) {
    below = getenv("ARTIFACT_FAULT_BELOW");
    kind = getenv("ARTIFACT_FAULT");
    const char *number = getenv("ARTIFACT_FAULT_AT");
    at = number ? atol(number) : 0;
    below_length = below ? strlen(below) : 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_below(const char *path) {
    return below && path && strncmp(path, below, below_length) == 0;
}

static int is_file_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a call. Says whether it is the one at which the process dies. */
static int dies(int counts) {
    if (!counts || !atomic_load(&armed)) return 0;
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call != at || !kind || strcmp(kind, "names") == 0) return 0;
    if (strcmp(kind, "full") == 0) {
        atomic_store(&full, 1);
        return 0;
    }
    return 1;
}

/* Counts a call that may kill, and says whether there is no room for what it asks. */
static int no_room(int counts) {
    if (dies(counts)) die();
    if (!counts || !atomic_load(&full)) return 0;
    errno = ENOSPC;
    return 1;
}

static ssize_t torn(int file, const void *data, size_t length, off_t offset, int placed) {
    int counts = is_file_below(file);
    int death = dies(counts);
    /* Every other death is in the middle of the write. */
    size_t part = death ? (at % 2 ? length / 2 : 0) : length;
    if (counts && !death && atomic_load(&full)) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t written = 0;
    if (!death || part > 0)
        written = placed ? NEXT(pwrite64)(file, data, part, offset) : NEXT(write)(file, data, part);
    if (death) die();
    return written;
}

ssize_t write(int file, const void *data, size_t length) {
    return torn(file, data, length, 0, 0);
}
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return torn(file, data, length, offset, 1);
}
ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    return torn(file, data, length, offset, 1);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    return no_room(is_file_below(file)) ? -1 : NEXT(writev)(file, parts, count);
}
ssize_t copy_file_range(int from, off64_t *in, int to, off64_t *out, size_t length, unsigned flags) {
    return no_room(is_file_below(to)) ? -1 : NEXT(copy_file_range)(from, in, to, out, length, flags);
}

/* What exists needs no room to be opened. */
static int makes(const char *path, int flags) {
    struct stat found;
    return flags & O_CREAT && is_below(path) && stat(path, &found) != 0;
}

#define OPEN(name)                                             \
    int name(const char *path, int flags, ...) {               \
        va_list list;                                          \
        va_start(list, flags);                                 \
        mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0; \
        va_end(list);                                          \
        return no_room(makes(path, flags)) ? -1 : NEXT(name)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                           \
    int name(int place, const char *path, int flags, ...) {    \
        va_list list;                                          \
        va_start(list, flags);                                 \
        mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0; \
        va_end(list);                                          \
        return no_room(makes(path, flags)) ? -1 : NEXT(name)(place, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
    return no_room(is_below(path)) ? -1 : NEXT(mkdir)(path, mode);
}
int link(const char *from, const char *to) {
    return no_room(is_below(to)) ? -1 : NEXT(link)(from, to);
}

/* Of the rest none needs room. */
static void passes(int counts) {
    if (dies(counts)) die();
}

int ftruncate(int file, off_t length) {
    passes(is_file_below(file));
    return NEXT(ftruncate)(file, length);
}
int ftruncate64(int file, off64_t length) {
    passes(is_file_below(file));
    return NEXT(ftruncate64)(file, length);
}
/* Says whether it is the sync of a directory, and one that fails. */
static int loses_names(int file) {
    struct stat found;
    if (!at || !kind || strcmp(kind, "names") != 0 || !atomic_load(&armed)) return 0;
    if (!is_file_below(file) || fstat(file, &found) != 0 || !S_ISDIR(found.st_mode)) return 0;
    if (atomic_fetch_add(&named, 1) + 1 < at) return 0;
    errno = EIO;
    return 1;
}

int fsync(int file) {
    passes(is_file_below(file));
    return loses_names(file) ? -1 : NEXT(fsync)(file);
}
int fdatasync(int file) {
    passes(is_file_below(file));
    return loses_names(file) ? -1 : NEXT(fdatasync)(file);
}
int rename(const char *from, const char *to) {
    passes(is_below(to));
    return NEXT(rename)(from, to);
}
int rmdir(const char *path) {
    passes(is_below(path));
    return NEXT(rmdir)(path);
}
int fchmod(int file, mode_t mode) {
    passes(is_file_below(file));
    return NEXT(fchmod)(file, mode);
}
int unlinkat(int place, const char *path, int flags) {
    passes(is_below(path) || (place >= 0 && is_file_below(place)));
    return NEXT(unlinkat)(place, path, flags);
}

static void end(void) {
    const char *path = getenv("ARTIFACT_FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld", atomic_load(&calls));
    fclose(file);
}

int unlink(const char *path) {
    if (strcmp(path, "fault: arm") == 0) atomic_store(&armed, 1);
    if (strcmp(path, "fault: room") == 0) atomic_store(&full, 0);
    if (strcmp(path, "fault: end") == 0) {
        atomic_store(&armed, 0);
        end();
    }
    passes(is_below(path));
    const char *name = strrchr(path, '/');
    int done = NEXT(unlink)(path);
    if (done == 0 && is_below(path) && name && strcmp(name, "/reserve") == 0) atomic_store(&full, 0);
    return done;
}
