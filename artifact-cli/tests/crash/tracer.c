/*
 * Runs a program, and has something happen to it at one of the system calls by which it, in any of its
 * threads, changes, locks or reads what is below a directory:
 *
 *   tracer BELOW KINDS AT ACTION REPORT PROGRAM [ARGUMENT...]
 *
 * BELOW   the directory, as an absolute path without links
 * KINDS   which calls count, each a letter: w writes, m makes (needs room), c changes otherwise,
 *         s syncs, l locks, p maps for writing, r reads or opens
 * AT      which of them, from 1 on; 0 for none
 * ACTION  kill   the process dies before the call
 *         tear   it dies after the first half of what it writes; elsewhere as with kill
 *         eio    the call fails, and is not made
 *         full   the disk is full: it fails, and what needs room (w and m) fails from there on, until a
 *                file named "reserve" is removed
 *         cut    the file system of BELOW loses its power before the call; the process dies
 *         stop   the process is stopped before the call, until this one gets SIGUSR1
 *         none
 *         With "lie+" before it, every sync below the directory is answered and not made.
 * REPORT  the file that gets "COUNT FIRED NAME PATH": the calls counted, whether it has happened (0 or
 *         1), and the call at which. Written when it happens, and at the end.
 *
 * SIGTERM and SIGINT are passed on. The program's exit code is this one's; 128 + n where a signal
 * ended it. It dies with this one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FS_IOC_SHUTDOWN
#define FS_IOC_SHUTDOWN _IOR('X', 125, unsigned)
#endif
/* Nothing that is not on the disk yet gets there. */
#define WITHOUT_FLUSHING_THE_LOG 2

/* Where a call names what it is about: a descriptor, a path, or a path from a directory's descriptor. */
enum place { FILE_AT, PATH_AT, PATH_FROM };

struct rule {
    const char *name;
    long number;
    char kind;
    enum place place;
    int argument;
};

#define RULE(name, kind, place, argument) { #name, SYS_##name, kind, place, argument }
static const struct rule rules[] = {
    RULE(write, 'w', FILE_AT, 0),
    RULE(pwrite64, 'w', FILE_AT, 0),
    RULE(writev, 'w', FILE_AT, 0),
    RULE(pwritev, 'w', FILE_AT, 0),
    RULE(pwritev2, 'w', FILE_AT, 0),
    RULE(sendfile, 'w', FILE_AT, 0),
    RULE(copy_file_range, 'w', FILE_AT, 2),
    RULE(fallocate, 'w', FILE_AT, 0),
    RULE(ioctl, 'w', FILE_AT, 0),
    RULE(fsync, 's', FILE_AT, 0),
    RULE(fdatasync, 's', FILE_AT, 0),
    RULE(sync_file_range, 's', FILE_AT, 0),
    RULE(syncfs, 's', FILE_AT, 0),
    RULE(ftruncate, 'c', FILE_AT, 0),
    RULE(fchmod, 'c', FILE_AT, 0),
    RULE(fchown, 'c', FILE_AT, 0),
    RULE(flock, 'l', FILE_AT, 0),
    RULE(fcntl, 'l', FILE_AT, 0),
    RULE(mmap, 'p', FILE_AT, 4),
    RULE(read, 'r', FILE_AT, 0),
    RULE(readv, 'r', FILE_AT, 0),
    RULE(pread64, 'r', FILE_AT, 0),
    RULE(preadv, 'r', FILE_AT, 0),
    RULE(getdents64, 'r', FILE_AT, 0),
    RULE(openat, 'm', PATH_FROM, 0),
    RULE(mkdirat, 'm', PATH_FROM, 0),
    RULE(symlinkat, 'm', PATH_FROM, 1),
    RULE(linkat, 'm', PATH_FROM, 2),
    RULE(renameat2, 'c', PATH_FROM, 2),
    RULE(unlinkat, 'c', PATH_FROM, 0),
    RULE(fchmodat, 'c', PATH_FROM, 0),
    RULE(truncate, 'c', PATH_AT, 0),
#ifdef SYS_renameat
    RULE(renameat, 'c', PATH_FROM, 2),
#endif
#ifdef SYS_open
    RULE(open, 'm', PATH_AT, 0),
    RULE(mkdir, 'm', PATH_AT, 0),
    RULE(symlink, 'm', PATH_AT, 1),
    RULE(link, 'm', PATH_AT, 1),
    RULE(rename, 'c', PATH_AT, 1),
    RULE(unlink, 'c', PATH_AT, 0),
    RULE(rmdir, 'c', PATH_AT, 0),
    RULE(chmod, 'c', PATH_AT, 0),
#endif
};
#define RULES (sizeof rules / sizeof *rules)

struct call {
    long number;
    unsigned long arguments[6];
};

#if defined(__x86_64__)
static void look(pid_t thread, struct call *call) {
    struct user_regs_struct r;
    if (ptrace(PTRACE_GETREGS, thread, 0, &r) < 0) memset(&r, 0xff, sizeof r);
    *call = (struct call){(long)r.orig_rax, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
}
static void answer(pid_t thread, long with) {
    ptrace(PTRACE_POKEUSER, thread, offsetof(struct user, regs.orig_rax), -1L);
    ptrace(PTRACE_POKEUSER, thread, offsetof(struct user, regs.rax), with);
}
static void shorten(pid_t thread, unsigned long length) {
    ptrace(PTRACE_POKEUSER, thread, offsetof(struct user, regs.rdx), length);
}
#elif defined(__aarch64__)
#include <elf.h>
static void look(pid_t thread, struct call *call) {
    struct user_pt_regs r;
    struct iovec all = {&r, sizeof r};
    if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &all) < 0) memset(&r, 0xff, sizeof r);
    call->number = (long)r.regs[8];
    for (int i = 0; i < 6; i++) call->arguments[i] = r.regs[i];
}
static void set(pid_t thread, int at, unsigned long value) {
    struct user_pt_regs r;
    struct iovec all = {&r, sizeof r};
    if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &all) < 0) return;
    r.regs[at] = value;
    ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &all);
}
static void answer(pid_t thread, long with) {
    int none = -1;
    struct iovec number = {&none, sizeof none};
    ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &number);
    set(thread, 0, (unsigned long)with);
}
static void shorten(pid_t thread, unsigned long length) { set(thread, 2, length); }
#else
#error "how this machine passes the arguments of a system call is to be said here"
#endif

static const char *below, *kinds, *action, *report;
static size_t below_length;
static long at, count;
static int fired, lies, full, disk = -1;
static const struct rule *fired_at;
static char fired_path[PATH_MAX];
static pid_t leader;

static void fail(const char *what) {
    fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
    exit(125);
}

static int is_below(const char *path) {
    return strncmp(path, below, below_length) == 0 &&
           (path[below_length] == 0 || path[below_length] == '/');
}

/* Reads where a link in /proc leads. */
static void follow(pid_t thread, const char *what, long number, char *path) {
    char link[64];
    if (number < 0) snprintf(link, sizeof link, "/proc/%d/%s", thread, what);
    else snprintf(link, sizeof link, "/proc/%d/%s/%ld", thread, what, number);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

/* Reads a text from the program's memory, page by page, for the next page may not be there. */
static void read_text(pid_t thread, unsigned long address, char *text) {
    size_t length = 0;
    text[0] = 0;
    while (length < PATH_MAX - 1) {
        size_t part = 4096 - (address + length) % 4096;
        if (part > PATH_MAX - 1 - length) part = PATH_MAX - 1 - length;
        struct iovec to = {text + length, part};
        struct iovec from = {(void *)(address + length), part};
        ssize_t got = process_vm_readv(thread, &to, 1, &from, 1, 0);
        if (got <= 0) break;
        if (memchr(text + length, 0, (size_t)got)) return;
        length += (size_t)got;
    }
    text[length] = 0;
}

static void named(pid_t thread, const struct rule *rule, const struct call *call, char *path) {
    const unsigned long *argument = call->arguments + rule->argument;
    if (rule->place == FILE_AT) {
        follow(thread, "fd", (int)argument[0], path);
        return;
    }
    char text[PATH_MAX];
    read_text(thread, argument[rule->place == PATH_FROM], text);
    if (text[0] == '/') {
        strcpy(path, text);
        return;
    }
    int from = rule->place == PATH_FROM ? (int)argument[0] : AT_FDCWD;
    if (from == AT_FDCWD) follow(thread, "cwd", -1, path);
    else follow(thread, "fd", from, path);
    size_t length = strlen(path);
    int written = snprintf(path + length, PATH_MAX - length, "/%s", text);
    if (written < 0 || (size_t)written >= PATH_MAX - length) path[0] = 0;
}

/* Says of what kind a call is; 0 where it is none that counts. */
static char kind_of(const struct rule *rule, const unsigned long *arguments, const char *path) {
    unsigned long flags;
    switch (rule->number) {
    case SYS_fcntl:
        flags = arguments[1];
        return flags == F_SETLK || flags == F_SETLKW || flags == F_OFD_SETLK || flags == F_OFD_SETLKW ? 'l' : 0;
    case SYS_mmap:
        return arguments[3] & MAP_SHARED && arguments[2] & PROT_WRITE && (int)arguments[4] >= 0 ? 'p' : 0;
    case SYS_ioctl:
        return (unsigned)arguments[1] == FICLONE || (unsigned)arguments[1] == FICLONERANGE ? 'w' : 0;
    case SYS_fallocate:
        return arguments[1] & FALLOC_FL_PUNCH_HOLE ? 'c' : 'w';
    case SYS_openat:
        flags = arguments[2];
        break;
#ifdef SYS_open
    case SYS_open:
        flags = arguments[1];
        break;
#endif
    default:
        return rule->kind;
    }
    /* What is there needs no room to be opened. */
    if (flags & O_CREAT && access(path, F_OK) == 0) return flags & O_TRUNC ? 'c' : 'l';
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) return 'm';
    return flags & O_TRUNC ? 'c' : 'r';
}

/* Who waits for the report finds it whole. */
static void tell(void) {
    char part[PATH_MAX];
    if ((size_t)snprintf(part, sizeof part, "%s.part", report) >= sizeof part) fail(report);
    FILE *file = fopen(part, "w");
    if (!file) fail(part);
    fprintf(file, "%ld %d %s %s\n", count, fired, fired_at ? fired_at->name : "-", fired_path);
    if (fclose(file) != 0 || rename(part, report) != 0) fail(report);
}

/* Threads that stand still until SIGUSR1, and the signals that they go on with. */
static struct { pid_t thread; int signal; } held[4096];
static int holds, holding;
static volatile sig_atomic_t woken, passed;

static void go(pid_t thread, int signal) {
    if (holding && holds < 4096) {
        held[holds].thread = thread;
        held[holds++].signal = signal;
    } else ptrace(PTRACE_CONT, thread, 0, (long)signal);
}

static void hold(pid_t thread) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", leader);
    DIR *tasks = opendir(path);
    holding = 1;
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        pid_t other = atoi(task->d_name);
        if (other > 0 && other != thread) syscall(SYS_tgkill, leader, other, SIGSTOP);
    }
    if (tasks) closedir(tasks);
}

static void wake(void) {
    holding = 0;
    for (int i = 0; i < holds; i++) go(held[i].thread, held[i].signal);
    holds = 0;
}

static int is(const char *name) { return strcmp(action, name) == 0; }

/* What happens at the call. Says whether the thread goes on by itself. */
static int fire(pid_t thread, const struct call *call) {
    fired = 1;
    if (is("cut")) {
        unsigned flags = WITHOUT_FLUSHING_THE_LOG;
        if (ioctl(disk, FS_IOC_SHUTDOWN, &flags) < 0) fail("the power cannot be cut");
    }
    if (is("stop")) hold(thread);
    tell();
    if (is("eio")) answer(thread, -EIO);
    else if (is("full")) full = 1;
    else if (is("tear") && (call->number == SYS_write || call->number == SYS_pwrite64)) {
        shorten(thread, call->arguments[2] / 2);
        ptrace(PTRACE_SYSCALL, thread, 0, 0L);
        return 0;
    } else if (is("kill") || is("tear") || is("cut")) kill(leader, SIGKILL);
    return 1;
}

/* Judges a call before it is made. Says whether the thread goes on by itself. */
static int judge(pid_t thread) {
    struct call call;
    char path[PATH_MAX];
    look(thread, &call);
    for (size_t i = 0; i < RULES; i++) {
        const struct rule *rule = rules + i;
        if (rule->number != call.number) continue;
        named(thread, rule, &call, path);
        char kind = is_below(path) ? kind_of(rule, call.arguments, path) : 0;
        if (!kind) return 1;
        if (lies && kind == 's') answer(thread, 0);
        int goes_on = 1;
        if (strchr(kinds, kind) && ++count == at) {
            fired_at = rule;
            strcpy(fired_path, path);
            goes_on = fire(thread, &call);
        }
        const char *name = strrchr(path, '/');
        if (kind == 'c' && name && strcmp(name, "/reserve") == 0) full = 0;
        if (full && (kind == 'w' || kind == 'm')) answer(thread, -ENOSPC);
        return goes_on;
    }
    return 1;
}

static void on_signal(int signal) {
    if (signal == SIGUSR1) woken = 1;
    else passed = signal;
}

/* Has the kernel ask about the calls of the table, and about no others; about reads where they count. */
static void filter(void) {
    struct sock_filter code[RULES + 3];
    size_t length = 0;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < RULES; i++) {
        int asked = rules[i].kind != 'r' || strchr(kinds, 'r');
        code[length++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, asked ? (unsigned)rules[i].number : ~0u, (unsigned char)(RULES - i), 0);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {(unsigned short)length, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        fail("seccomp");
}

static void start(char **command) {
    leader = fork();
    if (leader < 0) fail("fork");
    if (leader > 0) return;
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0) fail("ptrace");
    raise(SIGSTOP);
    filter();
    execv(command[0], command);
    fail(command[0]);
}

/* Passes one stop of a thread on. */
static void attend(pid_t thread, int status) {
    int signal = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) {
        if (judge(thread)) go(thread, 0);
    } else if (event || signal == SIGSTOP) go(thread, 0);
    else if (signal == (SIGTRAP | 0x80)) kill(leader, SIGKILL);
    else go(thread, signal);
}

int main(int arguments, char **argument) {
    if (arguments < 7) {
        fprintf(stderr, "tracer: BELOW KINDS AT ACTION REPORT PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    below = argument[1];
    below_length = strlen(below);
    kinds = argument[2];
    at = atol(argument[3]);
    action = argument[4];
    report = argument[5];
    lies = strncmp(action, "lie+", 4) == 0;
    action += lies ? 4 : 0;
    if (is("cut") && (disk = open(below, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) fail(below);
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    start(argument + 6);
    int status;
    if (waitpid(leader, &status, 0) < 0 || !WIFSTOPPED(status)) fail("the program did not start");
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
    if (ptrace(PTRACE_SETOPTIONS, leader, 0, options) < 0) fail("ptrace");
    ptrace(PTRACE_CONT, leader, 0, 0L);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno != EINTR) break;
        if (woken) {
            woken = 0;
            wake();
        }
        if (passed) {
            kill(leader, passed);
            passed = 0;
        }
        if (thread < 0) continue;
        if (WIFSTOPPED(status)) attend(thread, status);
        else if (thread == leader) {
            tell();
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
    fail("the program was lost");
}
