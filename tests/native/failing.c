/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded, it makes the n-th allocation of one shared library fail, and counts what that library holds.
 *
 * The caller is known by its return address. glibc only: the real functions are __libc_*. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { SLOTS = 1 << 16 }; /* blocks alive at once, of one library */

static uintptr_t first, last; /* the code watched */
static long countdown, seen, failed, live;
static void *slots[SLOTS]; /* by address, open; NULL is free, GONE was in use */
#define GONE ((void *)1)
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t slot_of(const void *p) { return (size_t)(((uintptr_t)p >> 4) * 2654435761u) % SLOTS; }

/* Whether this allocation is to fail. */
static int watched(const void *caller) { return first <= (uintptr_t)caller && (uintptr_t)caller < last; }

static int fails(void) {
    int now;
    pthread_mutex_lock(&lock);
    seen++;
    now = countdown > 0 && --countdown == 0;
    failed += now;
    pthread_mutex_unlock(&lock);
    if (now)
        errno = ENOMEM;
    return now;
}

static void *kept(void *p) {
    size_t i;
    if (p == NULL)
        return p;
    pthread_mutex_lock(&lock);
    for (i = slot_of(p); slots[i] != NULL && slots[i] != GONE; i = (i + 1) % SLOTS) {
    }
    slots[i] = p;
    live++;
    pthread_mutex_unlock(&lock);
    return p;
}

/* Whoever frees it. */
static void forget(const void *p) {
    size_t i;
    if (p == NULL || live == 0)
        return;
    pthread_mutex_lock(&lock);
    for (i = slot_of(p); slots[i] != NULL; i = (i + 1) % SLOTS)
        if (slots[i] == p) {
            slots[i] = GONE;
            live--;
            break;
        }
    pthread_mutex_unlock(&lock);
}

void *malloc(size_t size) {
    if (!watched(__builtin_return_address(0)))
        return __libc_malloc(size);
    return fails() ? NULL : kept(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    if (!watched(__builtin_return_address(0)))
        return __libc_calloc(count, size);
    return fails() ? NULL : kept(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
    void *p;
    if (!watched(__builtin_return_address(0))) {
        forget(old);
        return __libc_realloc(old, size);
    }
    if (fails())
        return NULL;
    p = __libc_realloc(old, size);
    if (p != NULL || size == 0)
        forget(old);
    return kept(p);
}

int posix_memalign(void **to, size_t alignment, size_t size) {
    const int mine = watched(__builtin_return_address(0));
    void *p;
    if (mine && fails())
        return ENOMEM;
    p = __libc_memalign(alignment, size);
    if (p == NULL)
        return ENOMEM;
    *to = mine ? kept(p) : p;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!watched(__builtin_return_address(0)))
        return __libc_memalign(alignment, size);
    return fails() ? NULL : kept(__libc_memalign(alignment, size));
}

void free(void *p) {
    forget(p);
    __libc_free(p);
}

static int range_of(struct dl_phdr_info *info, size_t size, void *name) {
    int i;
    (void)size;
    if (strstr(info->dlpi_name, (const char *)name) == NULL)
        return 0;
    for (i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            last = first + info->dlpi_phdr[i].p_memsz;
            return 1;
        }
    return 0;
}

/* Watch the library whose path holds `name`; 0 if none does. Blocks that another one holds are forgotten. */
int failing_watch(const char *name) {
    memset(slots, 0, sizeof slots);
    live = 0;
    return dl_iterate_phdr(range_of, (void *)name);
}

/* Fail the n-th allocation from now on; 0: none. */
void failing_arm(long n) {
    countdown = n;
    seen = failed = 0;
}

long failing_seen(void) { return seen; }
long failing_failed(void) { return failed; }
long failing_live(void) { return live; }
