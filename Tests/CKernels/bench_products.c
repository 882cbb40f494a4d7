// Products of large matrices with few rows, beside this machine's limits, which are probed in turn
// with them:
//   bench_products [elements [rows [shapes [threads [repeats [packed]]]]]]
// Lists are separated by commas, "-" stands for all: f32,bf16 1,16 8192x2048 2. Shapes are
// outputs x width; outputs are split evenly. The best of the repeats is printed, of product and probes. From `packed` rows
// on (3) rows are packed, fewer are multiplied in place.
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "attention_kernels.h"

enum { MOST_ROWS = 32, MOST_WIDTH = 16384, MOST_OUTPUTS = 1 << 18 };

typedef struct product {
  const char *weights;
  int32_t element;
  int64_t outputs, width;
  int32_t rows;
  const float *in, *scales;
  float *packed, *out;
} product;

typedef struct job {
  const product *product;
  int thread, threads, action;  // 0 multiply, 1 read, 2 multiply-add
  double seconds;
  int64_t flops;
  uint64_t checksum;
} job;

static pthread_barrier_t barrier;
static int packed_from = 3;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t row_bytes(const product *p) {
  const int64_t size = p->element == ATTN_ELEMENT_F32 ? 4 : p->element == ATTN_ELEMENT_S8 ? 1 : 2;
  return p->width * size;
}

static void *work(void *argument) {
  job *j = argument;
  const product *p = j->product;
  const int64_t share = (p->outputs / j->threads + 47) / 48 * 48;
  const int64_t first = share * j->thread < p->outputs ? share * j->thread : p->outputs;
  const int64_t last = j->thread == j->threads - 1 || first + share > p->outputs ? p->outputs
                                                                               : first + share;
  pthread_barrier_wait(&barrier);
  const double start = now();
  if (j->action == 1) {
    j->checksum += attn_probe_read(p->weights + first * row_bytes(p),
                                   (size_t)((last - first) * row_bytes(p)) / 64 * 64);
  } else if (j->action == 2) {
    attn_probe_fma(2000000 / 4, &j->flops);
  } else if (p->rows >= packed_from) {
    // Packed by every thread for itself: more than a caller pays that packs once.
    float *packed = p->packed + j->thread * MOST_ROWS * MOST_WIDTH;
    attn_skinny_pack(p->in, MOST_WIDTH, p->rows, p->width, packed);
    attn_skinny_product_packed(p->weights, p->element, p->width, p->scales, packed, p->rows,
                               p->width, NULL, p->out, p->outputs, first, last);
  } else {
    attn_skinny_product(p->weights, p->element, p->width, p->scales, p->in, MOST_WIDTH, p->rows,
                        p->width, NULL, p->out, p->outputs, first, last);
  }
  j->seconds = now() - start;
  return NULL;
}

static double run(job *jobs, int threads, int action) {
  pthread_t ids[8];
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (int t = 0; t < threads; t++) {
    jobs[t].threads = threads;
    jobs[t].action = action;
    if (t > 0) pthread_create(&ids[t], NULL, work, &jobs[t]);
  }
  work(&jobs[0]);
  double worst = jobs[0].seconds;
  for (int t = 1; t < threads; t++) {
    pthread_join(ids[t], NULL);
    worst = fmax(worst, jobs[t].seconds);
  }
  pthread_barrier_destroy(&barrier);
  return worst;
}

static char *pages(size_t bytes) {
  char *p = mmap(NULL, bytes + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) exit(75);
  p = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
#ifdef MADV_HUGEPAGE
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

// The `index`th entry of a comma-separated list.
static bool entry(const char *list, int index, char *to, size_t room) {
  for (; index > 0; index--) {
    list = strchr(list, ',');
    if (!list) return false;
    list++;
  }
  snprintf(to, room, "%.*s", (int)strcspn(list, ","), list);
  return *to != 0;
}

static void measure(const product *p, const char *name, int threads, int repeats) {
  double time = 1e9, read = 1e9, peak = 0;
  job jobs[8] = {{0}};
  for (int t = 0; t < threads; t++) jobs[t] = (job){.product = p, .thread = t};
  for (int r = 0; r < repeats; r++) {
    time = fmin(time, run(jobs, threads, 0));
    read = fmin(read, run(jobs, threads, 1));
    const double seconds = run(jobs, threads, 2);
    double done = 0;
    for (int t = 0; t < threads; t++) done += (double)jobs[t].flops;
    peak = fmax(peak, done / seconds);
  }
  const double bytes = (double)(p->outputs * row_bytes(p));
  const double flops = 2.0 * (double)p->rows * (double)(p->outputs * p->width);
  printf("%-5s %6ld x %-5ld %4d %2d %9.3f %7.1f %8.1f %9.1f %9.1f %9.2f %8.2f\n", name,
         (long)p->outputs, (long)p->width, p->rows, threads, time * 1e3, bytes / time * 1e-9,
         flops / time * 1e-9, bytes / read * 1e-9, peak * 1e-9, read / time,
         fmax(read, flops / peak) / time);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const char *const defaults[] = {
      "f32,f16,bf16,s8", "1,2,3,4,5,6,8,12,16,24,32", "32768x2048,8192x8192,128256x2048", "1,2", "9", "3"};
  const char *lists[6];
  for (int i = 0; i < 6; i++) {
    lists[i] = i + 1 < argc && strcmp(argv[i + 1], "-") != 0 ? argv[i + 1] : defaults[i];
  }
  static const struct {
    const char *name;
    int32_t element;
  } elements[] = {{"f32", ATTN_ELEMENT_F32},
                  {"f16", ATTN_ELEMENT_F16},
                  {"bf16", ATTN_ELEMENT_BF16},
                  {"s8", ATTN_ELEMENT_S8}};
  packed_from = atoi(lists[5]);
  printf("build %s\n%-5s %14s %4s %2s %9s %7s %8s %9s %9s %9s %8s\n", attn_isa_name(), "", "shape",
         "rows", "th", "ms", "GB/s", "GFLOP/s", "read GB/s", "peak GF/s", "of read", "roofline");
  float *in = malloc((size_t)MOST_ROWS * MOST_WIDTH * 4);
  float *packed = aligned_alloc(64, (size_t)2 * MOST_ROWS * MOST_WIDTH * 4);
  float *scales = malloc((size_t)MOST_OUTPUTS * 4);
  for (int i = 0; i < MOST_ROWS * MOST_WIDTH; i++) in[i] = (float)(i * 7919 % 2001) / 1000.0f - 1;
  for (int i = 0; i < MOST_OUTPUTS; i++) scales[i] = 1;
  char shape[64], word[64];
  for (int s = 0; entry(lists[2], s, shape, sizeof shape); s++) {
    long outputs = 0, width = 0;
    if (sscanf(shape, "%ldx%ld", &outputs, &width) != 2 || outputs < 1 || width < 1 ||
        outputs > MOST_OUTPUTS || width > MOST_WIDTH) {
      fprintf(stderr, "a shape is outputs x width, as in 8192x2048: %s\n", shape);
      return 64;
    }
    const size_t bytes = (size_t)(outputs * width) * 4;
    char *weights = pages(bytes);
    uint32_t random = 1;
    for (size_t i = 0; i < bytes / 4; i++) {
      // Finite in every element: exponents near one.
      random = random * 1664525u + 1013904223u;
      const uint32_t bits = (random & 0x83ff83ffu) | 0x38003800u;
      memcpy(weights + 4 * i, &bits, 4);
    }
    float *out = malloc((size_t)(MOST_ROWS * outputs) * 4);
    memset(out, 0, (size_t)(MOST_ROWS * outputs) * 4);
    for (int e = 0; entry(lists[0], e, word, sizeof word); e++) {
      for (int k = 0; k < 4; k++) {
        if (strcmp(word, elements[k].name) != 0) continue;
        char number[64];
        for (int r = 0; entry(lists[1], r, number, sizeof number); r++) {
          const product p = {.weights = weights, .element = elements[k].element,
                             .outputs = outputs, .width = width, .rows = atoi(number), .in = in,
                             .scales = elements[k].element == ATTN_ELEMENT_S8 ? scales : NULL,
                             .packed = packed, .out = out};
          char threads[64];
          if (p.rows < 1 || p.rows > MOST_ROWS) continue;
          for (int t = 0; entry(lists[3], t, threads, sizeof threads); t++) {
            measure(&p, elements[k].name, atoi(threads) > 1 ? 2 : 1, atoi(lists[4]));
          }
        }
      }
    }
    free(out);
    munmap(weights, bytes);
  }
}
