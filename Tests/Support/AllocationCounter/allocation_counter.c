#define _GNU_SOURCE
#include "allocation_counter.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__GLIBC__) && !__has_feature(address_sanitizer) && \
    !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define COUNTS 1
#else
#define COUNTS 0
#endif

static __thread int64_t *watching;

int allocation_counter_available(void) { return COUNTS; }

void allocation_counter_watch(int64_t *counter) { watching = counter; }

#if COUNTS
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static void count_one(void) {
  if (watching) __atomic_fetch_add(watching, 1, __ATOMIC_SEQ_CST);
}

void *malloc(size_t bytes) {
  count_one();
  return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  count_one();
  return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes) {
  count_one();
  return __libc_realloc(block, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
  count_one();
  return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  count_one();
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes) {
  count_one();
  void *result = __libc_memalign(alignment, bytes);
  if (result == NULL) return ENOMEM;
  *block = result;
  return 0;
}

#if defined(__LP64__) && defined(SYS_mmap)
void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
  count_one();
  return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
}
#endif
#endif
