// What the benches share: workers that start together, memory on huge pages, and rows of finite
// numbers.
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MEASURED, READ_PROBE, MULTIPLY_ADD_PROBE };

// The first member of every job.
typedef struct worker {
  int thread, threads;
  int action;  // MEASURED or a probe
  double seconds;
  int64_t flops;      // of MULTIPLY_ADD_PROBE
  uint64_t checksum;  // of READ_PROBE
} worker;

static pthread_barrier_t barrier;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Runs `work`, which waits at the barrier first, on each of the jobs, `job_bytes` apart, at once; the
// seconds of the slowest.
static double run_workers(void *jobs, size_t job_bytes, void *(*work)(void *), int threads,
                          int action) {
  pthread_t ids[8];
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (int t = 0; t < threads; t++) {
    worker *w = (worker *)((char *)jobs + (size_t)t * job_bytes);
    w->thread = t;
    w->threads = threads;
    w->action = action;
    if (t > 0) pthread_create(&ids[t], NULL, work, w);
  }
  work(jobs);
  double worst = ((worker *)jobs)->seconds;
  for (int t = 1; t < threads; t++) {
    pthread_join(ids[t], NULL);
    worst = fmax(worst, ((worker *)((char *)jobs + (size_t)t * job_bytes))->seconds);
  }
  pthread_barrier_destroy(&barrier);
  return worst;
}

static char *pages(size_t bytes) {
  bytes = (bytes + (2 << 20) - 1) >> 21 << 21;
  char *p = mmap(NULL, bytes + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) exit(75);
  p = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
#ifdef MADV_HUGEPAGE
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

// Bytes that are finite in every element: exponents near one.
static void fill_with_finite(char *to, size_t bytes) {
  uint32_t random = 1;
  for (size_t i = 0; i < bytes / 4; i++) {
    random = random * 1664525u + 1013904223u;
    const uint32_t word = (random & 0x83ff83ffu) | 0x38003800u;
    memcpy(to + 4 * i, &word, 4);
  }
}

#endif
