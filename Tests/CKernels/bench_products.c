// Products of large matrices with few rows, beside this machine's limits, which are probed in turn
// with them:
//   bench_products [elements [rows [shapes [threads [repeats [packed]]]]]]
// Lists are separated by commas, "-" stands for all: f32,bf16 1,16 8192x2048 2. Shapes are
// outputs x width; outputs are split evenly. The best of the repeats is printed, of product and probes. From `packed` rows
// on (3) rows are packed, fewer are multiplied in place.
#include <stdbool.h>
#include <stdio.h>

#include "attention_kernels.h"
#include "bench_support.h"

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
  worker worker;
  const product *product;
} job;

static int packed_from = 3;

static int64_t row_bytes(const product *p) {
  const int64_t size = p->element == ATTN_ELEMENT_F32 ? 4 : p->element == ATTN_ELEMENT_S8 ? 1 : 2;
  return p->width * size;
}

static void *work(void *argument) {
  job *j = argument;
  const product *p = j->product;
  const int thread = j->worker.thread, threads = j->worker.threads;
  const int64_t share = (p->outputs / threads + 47) / 48 * 48;
  const int64_t first = share * thread < p->outputs ? share * thread : p->outputs;
  const bool is_last = thread == threads - 1 || first + share > p->outputs;
  const int64_t last = is_last ? p->outputs : first + share;
  pthread_barrier_wait(&barrier);
  const double start = now();
  if (j->worker.action == READ_PROBE) {
    j->worker.checksum += attn_probe_read(p->weights + first * row_bytes(p),
                                   (size_t)((last - first) * row_bytes(p)) / 64 * 64);
  } else if (j->worker.action == MULTIPLY_ADD_PROBE) {
    attn_probe_fma(2000000 / 4, &j->worker.flops);
  } else if (p->rows >= packed_from) {
    // Packed by every thread for itself: more than a caller pays that packs once.
    float *packed = p->packed + thread * 2 * MOST_ROWS * MOST_WIDTH;
    attn_skinny_pack(p->element, p->in, MOST_WIDTH, p->rows, p->width, packed);
    attn_skinny_product_packed(p->weights, p->element, p->width, p->scales, packed, p->rows,
                               p->width, NULL, p->out, p->outputs, first, last);
  } else {
    attn_skinny_product(p->weights, p->element, p->width, p->scales, p->in, MOST_WIDTH, p->rows,
                        p->width, NULL, p->out, p->outputs, first, last);
  }
  j->worker.seconds = now() - start;
  return NULL;
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
  for (int t = 0; t < threads; t++) jobs[t] = (job){.product = p};
  for (int r = 0; r < repeats; r++) {
    time = fmin(time, run_workers(jobs, sizeof(job), work, threads, MEASURED));
    read = fmin(read, run_workers(jobs, sizeof(job), work, threads, READ_PROBE));
    const double seconds = run_workers(jobs, sizeof(job), work, threads, MULTIPLY_ADD_PROBE);
    double done = 0;
    for (int t = 0; t < threads; t++) done += (double)jobs[t].worker.flops;
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
  float *packed = aligned_alloc(64, (size_t)4 * MOST_ROWS * MOST_WIDTH * 4);
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
    fill_with_finite(weights, bytes);
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
