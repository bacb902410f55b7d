/* Stands between a program and the disk: counts what it does to the files of one folder, and lets one of these
 * operations go wrong, or be the last one before the process dies or the power goes.
 *
 * Preloaded (LD_PRELOAD), so the shipped program is what is tested and holds no code for tests. In C, because what is
 * replaced are the C library's own functions, two of them with a variable number of arguments, and because a compiler
 * for C is there wherever SQLite was built. `tests/support/faults.rs` compiles and steers it.
 *
 * What it sees: the C library's calls that create, write, cut, sync, rename, link and remove files, which is what
 * SQLite and Rust's standard library use. What it does not see: stores into shared memory (the `-shm` file, which
 * SQLite makes anew after a crash) and system calls that are made without the C library (making a vault renames its
 * finished file that way).
 *
 * Orders come through a file, read again at each operation, so that a running program can be armed:
 *     SERIAL ACTION AT TIMES ERRNO
 * The count starts at 1 with each new SERIAL, and counts only operations at which ACTION is something of its own:
 *     count         nothing goes wrong
 *     before        the process dies in the place of operation AT
 *     after         the process dies when it is done (no writes: after a write is before the next operation)
 *     torn          the first half of a write is done, and the process dies (writes only)
 *     cut           the power goes in its place: all that no sync made durable is as if it had never been (only where
 *                   something is not durable)
 *     cut-but-last  the same, but the last unsynced write did reach the disk: disks reorder (only where there are two)
 *     fail          it fails with ERRNO, as do those that follow, TIMES in all (0: until the next order)
 *     fill          the same for those operations only that need room
 * After a death in the kernel's care (before, after, torn) everything that was written stands; a cut is the harder
 * test. In a cut, removed and renamed files stay so: file systems keep the order of these.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(result, name, ...) ((result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

enum { NEEDS_ROOM = 1, IS_WRITE = 2 };

/* A file that was written to, and how to reach it. Never closed: closing one descriptor of a file takes away all locks
 * that the process holds on it. */
struct file {
    dev_t device;
    ino_t inode;
    int fd;
    struct file *next;
};

/* How to take back one operation that no sync has made durable yet; newest first. */
struct undo {
    struct file *file; /* NULL: `path` was created */
    char path[PATH_MAX];
    off_t at, old_size;
    size_t old_length, new_length;
    char *old_bytes, *new_bytes;
    struct undo *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int order_file = -1, seen_file = -1;
static struct file *files;
static struct undo *unsynced;

static long serial = -1, count, listed;
static int hit;
static char action[16];
static long at, times, error_number;

__attribute__((constructor)) static void begin(void)
{
    const char *orders = getenv("FAULTS_ORDER"), *seen = getenv("FAULTS_SEEN");
    folder = getenv("FAULTS_FOLDER");
    if (!folder || !orders || !seen)
        return;
    folder_length = strlen(folder);
    order_file = REAL(int, open, const char *, int, ...)(orders, O_RDONLY | O_CLOEXEC);
    seen_file = REAL(int, open, const char *, int, ...)(seen, O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* ---- what is watched ---- */

static int watched(const char *path)
{
    return seen_file >= 0 && strncmp(path, folder, folder_length) == 0 &&
           (path[folder_length] == '/' || path[folder_length] == 0);
}

static int path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0 && watched(path);
}

static int path_at(int directory, const char *name, char *path)
{
    if (!name)
        return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return watched(path);
    }
    char above[PATH_MAX];
    if (directory == AT_FDCWD ? !getcwd(above, sizeof above) : !path_of(directory, above))
        return 0;
    if (snprintf(path, PATH_MAX, "%s/%s", above, name) >= PATH_MAX)
        return 0;
    return watched(path);
}

/* ---- what would be lost with the power ---- */

static struct file *known(int fd)
{
    struct stat found;
    if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))
        return NULL;
    for (struct file *file = files; file; file = file->next)
        if (file->device == found.st_dev && file->inode == found.st_ino)
            return file;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int own = REAL(int, open, const char *, int, ...)(link, O_RDWR | O_CLOEXEC);
    if (own < 0)
        return NULL;
    struct file *file = calloc(1, sizeof *file);
    *file = (struct file){found.st_dev, found.st_ino, own, files};
    return files = file;
}

static void remember(int fd, off_t from, const char *bytes, size_t length, off_t new_size)
{
    struct file *file = known(fd);
    struct stat found;
    if (!file || fstat(fd, &found) != 0)
        return;
    struct undo *undo = calloc(1, sizeof *undo);
    undo->file = file;
    undo->at = from;
    undo->old_size = found.st_size;
    /* Shrinking loses the tail. */
    size_t replaced = bytes ? length : (new_size < found.st_size ? (size_t)(found.st_size - new_size) : 0);
    undo->old_bytes = malloc(replaced + 1);
    ssize_t got = pread(file->fd, undo->old_bytes, replaced, from);
    undo->old_length = got < 0 ? 0 : (size_t)got;
    undo->new_bytes = malloc(length + 1);
    if (bytes)
        memcpy(undo->new_bytes, bytes, length);
    undo->new_length = bytes ? length : 0;
    undo->next = unsynced;
    unsynced = undo;
}

static void remember_created(const char *path)
{
    struct undo *undo = calloc(1, sizeof *undo);
    snprintf(undo->path, sizeof undo->path, "%s", path);
    undo->next = unsynced;
    unsynced = undo;
}

static int is_durable_by(const struct undo *undo, const struct stat *synced, const char *path)
{
    if (undo->file)
        return undo->file->device == synced->st_dev && undo->file->inode == synced->st_ino;
    size_t length = strlen(path);
    return S_ISDIR(synced->st_mode) && strncmp(undo->path, path, length) == 0 && undo->path[length] == '/' &&
           !strchr(undo->path + length + 1, '/');
}

static void made_durable(int fd, const char *path)
{
    struct stat synced;
    if (fstat(fd, &synced) != 0)
        return;
    for (struct undo **link = &unsynced; *link;) {
        struct undo *undo = *link;
        if (is_durable_by(undo, &synced, path)) {
            *link = undo->next;
            free(undo->old_bytes);
            free(undo->new_bytes);
            free(undo);
        } else {
            link = &undo->next;
        }
    }
}

static void lose_the_unsynced(int but_last)
{
    struct undo *last = NULL;
    for (struct undo *undo = unsynced; undo; undo = undo->next) {
        if (!undo->file) {
            REAL(int, unlink, const char *)(undo->path);
            continue;
        }
        if (!last && undo->new_length > 0)
            last = undo;
        int fd = undo->file->fd;
        if (REAL(ssize_t, pwrite64, int, const void *, size_t, off_t)(fd, undo->old_bytes, undo->old_length, undo->at) < 0 ||
            REAL(int, ftruncate64, int, off_t)(fd, undo->old_size) != 0)
            abort();
    }
    if (but_last && last &&
        REAL(ssize_t, pwrite64, int, const void *, size_t, off_t)(last->file->fd, last->new_bytes, last->new_length, last->at) < 0)
        abort();
}

/* ---- orders ---- */

static void read_order(void)
{
    char text[128] = "";
    char word[16] = "";
    long new_serial, new_at, new_times, new_errno;
    if (pread(order_file, text, sizeof text - 1, 0) <= 0 ||
        sscanf(text, "%ld %15s %ld %ld %ld", &new_serial, word, &new_at, &new_times, &new_errno) != 5)
        return;
    if (new_serial != serial)
        count = listed = 0;
    serial = new_serial;
    memcpy(action, word, sizeof action);
    at = new_at;
    times = new_times;
    error_number = new_errno;
}

static int is(const char *word)
{
    return strcmp(action, word) == 0;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether an operation counts for the present order. */
static int counts(int kind)
{
    int undurable = 0;
    for (struct undo *undo = unsynced; undo; undo = undo->next)
        undurable += !undo->file || undo->new_length > 0;
    return is("after")          ? !(kind & IS_WRITE)
           : is("torn")         ? (kind & IS_WRITE) != 0
           : is("cut")          ? undurable > 0
           : is("cut-but-last") ? undurable > 1
           : is("fill")         ? (kind & NEEDS_ROOM) != 0
                                : 1;
}

/* Lists an operation, and lets happen before it what was ordered. Non-zero: the errno that it fails with. */
static int comes(const char *call, const char *path, long long offset, long long length, int kind)
{
    read_order();
    hit = 0;
    if (serial < 0 || is("off"))
        return 0;
    int mine = counts(kind);
    count += mine;
    hit = mine && count == at;
    int fails = mine && (is("fail") || is("fill")) && count >= at && (times == 0 || count < at + times);
    char line[PATH_MAX + 128];
    int written = snprintf(line, sizeof line, "%ld %ld %s %s %lld %lld %s\n", serial, ++listed, call,
                           path + folder_length + (path[folder_length] == '/'), offset, length,
                           fails || (hit && !is("count")) ? action : "-");
    REAL(ssize_t, write, int, const void *, size_t)(seen_file, line, (size_t)written);
    if (hit && (is("cut") || is("cut-but-last")))
        lose_the_unsynced(is("cut-but-last"));
    if (hit && (is("before") || is("cut") || is("cut-but-last")))
        die();
    return fails ? (int)error_number : 0;
}

/* Comes after an operation. */
static void done(void)
{
    if (hit && (is("after") || is("torn")))
        die();
}

static size_t torn(size_t length)
{
    return hit && is("torn") ? length / 2 : length;
}

/* One operation of `fd`: `work` runs between the order and its end, with `path` at hand. */
#define GUARDED(is_ours, call, offset, length, kind, failed, work) \
    do {                                                           \
        if (!(is_ours))                                            \
            break;                                                 \
        pthread_mutex_lock(&lock);                                 \
        int refusal = comes(call, path, offset, length, kind);     \
        if (refusal) {                                             \
            pthread_mutex_unlock(&lock);                           \
            errno = refusal;                                       \
            return failed;                                         \
        }                                                          \
        work;                                                      \
        int kept = errno;                                          \
        done();                                                    \
        pthread_mutex_unlock(&lock);                               \
        errno = kept;                                              \
        return result;                                             \
    } while (0)

/* ---- the calls ---- */

ssize_t write(int fd, const void *bytes, size_t length)
{
    ssize_t (*real)(int, const void *, size_t) = REAL(ssize_t, write, int, const void *, size_t);
    char path[PATH_MAX];
    off_t here = seen_file >= 0 ? lseek(fd, 0, SEEK_CUR) : -1;
    GUARDED(here >= 0 && path_of(fd, path), "write", here, (long long)length, NEEDS_ROOM | IS_WRITE, -1,
            remember(fd, here, bytes, length, 0);
            ssize_t result = real(fd, bytes, torn(length)));
    return real(fd, bytes, length);
}

static ssize_t write_at(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *bytes, size_t length, off_t offset)
{
    char path[PATH_MAX];
    GUARDED(path_of(fd, path), "pwrite", offset, (long long)length, NEEDS_ROOM | IS_WRITE, -1,
            remember(fd, offset, bytes, length, 0);
            ssize_t result = real(fd, bytes, torn(length), offset));
    return real(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return write_at(REAL(ssize_t, pwrite, int, const void *, size_t, off_t), fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
    return write_at(REAL(ssize_t, pwrite64, int, const void *, size_t, off_t), fd, bytes, length, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int number)
{
    char path[PATH_MAX];
    if (path_of(fd, path) && number > 0)
        /* A short write is allowed, and the caller goes on with the rest. */
        return write(fd, parts[0].iov_base, parts[0].iov_len);
    return REAL(ssize_t, writev, int, const struct iovec *, int)(fd, parts, number);
}

static int sync_with(int (*real)(int), const char *call, int fd)
{
    char path[PATH_MAX];
    GUARDED(path_of(fd, path), call, 0, 0, 0, -1,
            int result = real(fd);
            if (result == 0) made_durable(fd, path));
    return real(fd);
}

int fsync(int fd)
{
    return sync_with(REAL(int, fsync, int), "fsync", fd);
}

int fdatasync(int fd)
{
    return sync_with(REAL(int, fdatasync, int), "fdatasync", fd);
}

static int cut_to(int (*real)(int, off_t), int fd, off_t size)
{
    char path[PATH_MAX];
    struct stat found;
    int grows = fstat(fd, &found) == 0 && size > found.st_size;
    GUARDED(path_of(fd, path), "ftruncate", size, 0, grows ? NEEDS_ROOM : 0, -1,
            remember(fd, size, NULL, 0, size);
            int result = real(fd, size));
    return real(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return cut_to(REAL(int, ftruncate, int, off_t), fd, size);
}

int ftruncate64(int fd, off_t size)
{
    return cut_to(REAL(int, ftruncate64, int, off_t), fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    int (*real)(int, int, off_t, off_t) = REAL(int, fallocate, int, int, off_t, off_t);
    char path[PATH_MAX];
    GUARDED(path_of(fd, path), "fallocate", offset, (long long)length, NEEDS_ROOM, -1,
            remember(fd, offset, NULL, 0, LLONG_MAX);
            int result = real(fd, mode, offset, length));
    return real(fd, mode, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    int (*real)(int, off_t, off_t) = REAL(int, posix_fallocate, int, off_t, off_t);
    char path[PATH_MAX];
    /* This one returns its error. */
    GUARDED(path_of(fd, path), "fallocate", offset, (long long)length, NEEDS_ROOM, refusal,
            remember(fd, offset, NULL, 0, LLONG_MAX);
            int result = real(fd, offset, length));
    return real(fd, offset, length);
}

static int open_with(int directory, const char *name, int flags, mode_t mode)
{
    int (*real)(int, const char *, int, ...) = REAL(int, openat, int, const char *, int, ...);
    char path[PATH_MAX];
    int creates = (flags & O_CREAT) && path_at(directory, name, path) && access(path, F_OK) != 0;
    GUARDED(creates, "create", 0, 0, NEEDS_ROOM, -1,
            int result = real(directory, name, flags, mode);
            if (result >= 0) remember_created(path));
    int writes = (flags & O_ACCMODE) != O_RDONLY && error_number == EROFS && path_at(directory, name, path);
    GUARDED(writes, "open", 0, 0, 0, -1, int result = real(directory, name, flags, mode));
    return real(directory, name, flags, mode);
}

#define MODE_OF(flags)                              \
    mode_t mode = 0;                                \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {        \
        va_list rest;                               \
        va_start(rest, flags);                      \
        mode = (mode_t)va_arg(rest, unsigned int);  \
        va_end(rest);                               \
    }

int open(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_with(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_with(AT_FDCWD, name, flags | O_LARGEFILE, mode);
}

int openat(int directory, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_with(directory, name, flags, mode);
}

int openat64(int directory, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_with(directory, name, flags | O_LARGEFILE, mode);
}

int unlink(const char *name)
{
    int (*real)(const char *) = REAL(int, unlink, const char *);
    char path[PATH_MAX];
    GUARDED(path_at(AT_FDCWD, name, path), "unlink", 0, 0, 0, -1, int result = real(name));
    return real(name);
}

int unlinkat(int directory, const char *name, int flags)
{
    int (*real)(int, const char *, int) = REAL(int, unlinkat, int, const char *, int);
    char path[PATH_MAX];
    GUARDED(path_at(directory, name, path), "unlink", 0, 0, 0, -1, int result = real(directory, name, flags));
    return real(directory, name, flags);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = REAL(int, rename, const char *, const char *);
    char path[PATH_MAX];
    GUARDED(path_at(AT_FDCWD, to, path), "rename", 0, 0, NEEDS_ROOM, -1, int result = real(from, to));
    return real(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    int (*real)(int, const char *, int, const char *) = REAL(int, renameat, int, const char *, int, const char *);
    char path[PATH_MAX];
    GUARDED(path_at(to_directory, to, path), "rename", 0, 0, NEEDS_ROOM, -1,
            int result = real(from_directory, from, to_directory, to));
    return real(from_directory, from, to_directory, to);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags)
{
    int (*real)(int, const char *, int, const char *, unsigned int) =
        REAL(int, renameat2, int, const char *, int, const char *, unsigned int);
    char path[PATH_MAX];
    GUARDED(path_at(to_directory, to, path), "rename", 0, 0, NEEDS_ROOM, -1,
            int result = real(from_directory, from, to_directory, to, flags));
    return real(from_directory, from, to_directory, to, flags);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
    int (*real)(int, const char *, int, const char *, int) =
        REAL(int, linkat, int, const char *, int, const char *, int);
    char path[PATH_MAX];
    GUARDED(path_at(to_directory, to, path), "link", 0, 0, NEEDS_ROOM, -1,
            int result = real(from_directory, from, to_directory, to, flags));
    return real(from_directory, from, to_directory, to, flags);
}

int link(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = REAL(int, link, const char *, const char *);
    char path[PATH_MAX];
    GUARDED(path_at(AT_FDCWD, to, path), "link", 0, 0, NEEDS_ROOM, -1, int result = real(from, to));
    return real(from, to);
}
