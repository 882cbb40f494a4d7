// Decode and prefill attention of one layer, one and two threads, beside this machine's limits,
// which are probed in turn with it:
//   bench [filter [repeats [threads]]]     shapes whose name contains the filter
//   bench streams,rows,width,value_width,element,tokens [repeats [threads]]
//                                          one shape; value_width 0: the key row's prefix of 8/9
// Shapes that a cache holds show the arithmetic without the memory.
#include <stdbool.h>
#include <stdio.h>

#include "attention_kernels.h"
#include "bench_support.h"

typedef struct shape {
  const char *name;
  int32_t streams, rows, key_width, value_width;
  bool prefix;
  int32_t element;
  int64_t tokens;
  bool causal;  // prefill: the rows are the last tokens' queries
} shape;

static const shape shapes[] = {
    {"mha 64 f16", 16, 1, 64, 64, false, ATTN_ELEMENT_F16, 32768, false},
    {"mha 128 f16", 8, 1, 128, 128, false, ATTN_ELEMENT_F16, 32768, false},
    {"mha 128 f32", 8, 1, 128, 128, false, ATTN_ELEMENT_F32, 16384, false},
    {"mha 128 bf16", 8, 1, 128, 128, false, ATTN_ELEMENT_BF16, 32768, false},
    {"gqa 4 128 f16", 8, 4, 128, 128, false, ATTN_ELEMENT_F16, 32768, false},
    {"gqa 4 64 f16", 8, 4, 64, 64, false, ATTN_ELEMENT_F16, 65536, false},
    {"gqa 4 128 f32", 8, 4, 128, 128, false, ATTN_ELEMENT_F32, 16384, false},
    {"gqa 7 128 f16", 4, 7, 128, 128, false, ATTN_ELEMENT_F16, 32768, false},
    {"gqa 8 128 f16", 4, 8, 128, 128, false, ATTN_ELEMENT_F16, 32768, false},
    {"mqa 32 64 f16", 1, 32, 64, 64, false, ATTN_ELEMENT_F16, 131072, false},
    {"mqa 32 128 f16", 1, 32, 128, 128, false, ATTN_ELEMENT_F16, 131072, false},
    {"mla 16 576 f16", 1, 16, 576, 512, true, ATTN_ELEMENT_F16, 32768, false},
    {"mla 32 576 f16", 1, 32, 576, 512, true, ATTN_ELEMENT_F16, 32768, false},
    {"mla 128 576 f16", 1, 128, 576, 512, true, ATTN_ELEMENT_F16, 16384, false},
    {"mla 16 288 f16", 1, 16, 288, 256, true, ATTN_ELEMENT_F16, 65536, false},
    {"mla 32 576 bf16", 1, 32, 576, 512, true, ATTN_ELEMENT_BF16, 32768, false},
    {"mha 128 fp8", 8, 1, 128, 128, false, ATTN_ELEMENT_FP8, 65536, false},
    {"mha 128 int8", 8, 1, 128, 128, false, ATTN_ELEMENT_INT8, 65536, false},
    {"mha 128 int4", 8, 1, 128, 128, false, ATTN_ELEMENT_INT4, 65536, false},
    {"mha 128 int8c", 8, 1, 128, 128, false, ATTN_ELEMENT_INT8C, 65536, false},
    {"mha 128 int4c", 8, 1, 128, 128, false, ATTN_ELEMENT_INT4C, 65536, false},
    {"gqa 4 128 fp8", 8, 4, 128, 128, false, ATTN_ELEMENT_FP8, 32768, false},
    {"gqa 4 128 int8", 8, 4, 128, 128, false, ATTN_ELEMENT_INT8, 32768, false},
    {"gqa 4 128 int4", 8, 4, 128, 128, false, ATTN_ELEMENT_INT4, 32768, false},
    {"gqa 4 128 int8c", 8, 4, 128, 128, false, ATTN_ELEMENT_INT8C, 32768, false},
    {"gqa 4 128 int4c", 8, 4, 128, 128, false, ATTN_ELEMENT_INT4C, 32768, false},
    {"mqa 32 128 int8", 1, 32, 128, 128, false, ATTN_ELEMENT_INT8, 131072, false},
    {"mqa 32 128 int4", 1, 32, 128, 128, false, ATTN_ELEMENT_INT4, 131072, false},
    {"mla 16 576 int8", 1, 16, 576, 512, true, ATTN_ELEMENT_INT8, 32768, false},
    {"mla 16 576 int4", 1, 16, 576, 512, true, ATTN_ELEMENT_INT4, 32768, false},
    {"mla 16 576 fp8", 1, 16, 576, 512, true, ATTN_ELEMENT_FP8, 32768, false},
    {"prefill 128x128 f16", 4, 128, 128, 128, false, ATTN_ELEMENT_F16, 4096, true},
    {"prefill 256x64 f32", 4, 256, 64, 64, false, ATTN_ELEMENT_F32, 4096, true},
};

// Bytes of all rows of one stream's keys or values.
static int64_t side_bytes(const shape *s, int32_t width) {
  enum { GROUP = 64 };
  if (s->element == ATTN_ELEMENT_INT8C || s->element == ATTN_ELEMENT_INT4C) {
    return s->tokens / GROUP * attn_group_bytes(s->element, GROUP, width);
  }
  return s->tokens * attn_row_bytes(s->element, width);
}

static attn_groups groups_of(const shape *s, int32_t width) {
  if (s->element != ATTN_ELEMENT_INT8C && s->element != ATTN_ELEMENT_INT4C) return (attn_groups){0};
  return (attn_groups){
      .tokens = 64, .bytes = attn_group_bytes(s->element, 64, width), .tail_begin = s->tokens};
}

typedef struct job {
  worker worker;
  const shape *shape;
  char *keys, *values;
  const float *queries;
  attn_partial *partials;       // one a stream
  void *workspace;
  int64_t *row_end;
  size_t key_bytes, value_bytes;
} job;

static void *work(void *argument) {
  job *j = argument;
  const shape *s = j->shape;
  pthread_barrier_wait(&barrier);
  double start = now();
  if (j->worker.action == READ_PROBE) {
    size_t share = j->key_bytes / (size_t)j->worker.threads / 64 * 64;
    j->worker.checksum += attn_probe_read(j->keys + share * (size_t)j->worker.thread, share);
    if (!s->prefix) {
      share = j->value_bytes / (size_t)j->worker.threads / 64 * 64;
      j->worker.checksum += attn_probe_read(j->values + share * (size_t)j->worker.thread, share);
    }
  } else if (j->worker.action == MULTIPLY_ADD_PROBE) {
    attn_probe_fma(2000000 / 4, &j->worker.flops);
  } else {
    // One stream is split by tokens, several by streams.
    bool by_tokens = s->streams == 1;
    const int step = by_tokens ? 1 : j->worker.threads;
    for (int i = by_tokens ? 0 : j->worker.thread; i < s->streams; i += step) {
      attn_stream stream = {.keys = j->keys + i * side_bytes(s, s->key_width),
                            .values = j->values + i * side_bytes(s, s->value_width),
                            .key_row_bytes = attn_row_bytes(s->element, s->key_width),
                            .value_row_bytes = attn_row_bytes(s->element, s->value_width),
                            .key_width = s->key_width,
                            .value_width = s->value_width,
                            .value_is_key_prefix = s->prefix,
                            .key_element = s->element,
                            .value_element = s->element,
                            .key_groups = groups_of(s, s->key_width),
                            .value_groups = groups_of(s, s->prefix ? s->key_width : s->value_width)};
      attn_queries queries = {.queries = j->queries,
                              .query_stride = s->key_width,
                              .rows = s->rows,
                              .scale = 1 / sqrtf((float)s->key_width),
                              .row_end = s->causal ? j->row_end : NULL};
      attn_range range = {0, s->tokens};
      if (by_tokens) {
        range.begin = s->tokens * j->worker.thread / j->worker.threads;
        range.end = s->tokens * (j->worker.thread + 1) / j->worker.threads;
      }
      attn_partial_reset(&j->partials[i], s->rows, s->value_width);
      attn_attend(&stream, &queries, &range, 1, &j->partials[i], j->workspace);
    }
  }
  j->worker.seconds = now() - start;
  return NULL;
}

int main(int argc, char **argv) {
  const char *filter = argc > 1 ? argv[1] : "";
  shape given = {"given", 0, 0, 0, 0, false, 0, 0, false};
  long long given_tokens;
  const bool is_given = sscanf(filter, "%d,%d,%d,%d,%d,%lld", &given.streams, &given.rows,
                               &given.key_width, &given.value_width, &given.element,
                               &given_tokens) == 6;
  if (is_given) {
    given.tokens = given_tokens;
    given.prefix = given.value_width == 0;
    if (given.prefix) given.value_width = given.key_width / 9 * 8;
  }
  const int repeats = argc > 2 ? atoi(argv[2]) : 15;
  const int first_threads = argc > 3 ? atoi(argv[3]) : 1;
  const int last_threads = argc > 3 ? first_threads : 2;
  size_t most = 160u << 20;
  char *keys = pages(most), *values = pages(most);
  fill_with_finite(keys, most);
  fill_with_finite(values, most);
  float *queries = (float *)pages(256 * 576 * sizeof(float));
  for (int i = 0; i < 256 * 576; i++) queries[i] = (float)(i * 7919 % 2001) / 1000.0f - 1;
  printf("%-20s %-8s %2s %9s %8s %9s %9s %9s %8s\n", "shape", "isa", "th", "ms", "GB/s", "GFLOP/s",
         "read GB/s", "peak GF/s", "roofline");
  const size_t count = is_given ? 1 : sizeof(shapes) / sizeof(shapes[0]);
  for (size_t i = 0; i < count; i++) {
    const shape *s = is_given ? &given : &shapes[i];
    if (!is_given && !strstr(s->name, filter)) continue;
    size_t key_bytes = (size_t)(s->streams * side_bytes(s, s->key_width));
    size_t value_bytes = (size_t)(s->streams * side_bytes(s, s->value_width));
    if (key_bytes > most) continue;
    int64_t row_end[256];
    double pairs = (double)s->rows * (double)s->tokens;
    for (int r = 0; r < s->rows; r++) {
      row_end[r] = s->tokens - (s->rows - 1 - r);
      if (s->causal) pairs -= s->rows - 1 - r;
    }
    double flops = 2.0 * pairs * (s->key_width + s->value_width) * s->streams;
    double bytes = (double)key_bytes + (s->prefix ? 0 : (double)value_bytes);
    for (int threads = first_threads; threads <= last_threads; threads++) {
      job jobs[2];
      for (int t = 0; t < threads; t++) {
        jobs[t] = (job){.shape = s, .keys = keys, .values = values, .queries = queries,
                        .row_end = row_end, .key_bytes = key_bytes,
                        .value_bytes = value_bytes};
        size_t size = attn_workspace_bytes(s->rows, s->key_width, s->value_width);
        const size_t stream_sums = ((size_t)(s->rows * s->value_width) * 4 + 63) / 64 * 64;
        const size_t sums = stream_sums * (size_t)s->streams;
        // On a huge page of its own: scattered small pages collide in the second-level cache.
        char *scratch = pages((size + sums + 63) / 64 * 64);
        jobs[t].workspace = scratch;
        char *accumulators = scratch + (size + 63) / 64 * 64;
        jobs[t].partials = calloc((size_t)s->streams, sizeof(attn_partial));
        for (int k = 0; k < s->streams; k++) {
          jobs[t].partials[k].accumulator_stride = s->value_width;
          jobs[t].partials[k].accumulator = (float *)(accumulators + stream_sums * (size_t)k);
          jobs[t].partials[k].maximum = malloc((size_t)s->rows * 4 * 2);
          jobs[t].partials[k].sum = malloc((size_t)s->rows * 4 * 2);
        }
      }
      double best = 1e9, read = 1e9, peak = 0;
      for (int r = 0; r < repeats; r++) {
        best = fmin(best, run_workers(jobs, sizeof(job), work, threads, MEASURED));
        read = fmin(read, run_workers(jobs, sizeof(job), work, threads, READ_PROBE));
        double seconds = run_workers(jobs, sizeof(job), work, threads, MULTIPLY_ADD_PROBE), done = 0;
        for (int t = 0; t < threads; t++) done += (double)jobs[t].worker.flops;
        peak = fmax(peak, done / seconds);
      }
      double bound = fmax(read, flops / peak);
      printf("%-20s %-8s %2d %9.3f %8.1f %9.1f %9.1f %9.1f %8.2f\n", s->name, attn_isa_name(),
             threads, best * 1e3, bytes / best * 1e-9, flops / best * 1e-9, bytes / read * 1e-9,
             peak * 1e-9, bound / best);
      fflush(stdout);
      for (int t = 0; t < threads; t++) {
        for (int k = 0; k < s->streams; k++) {
          free(jobs[t].partials[k].maximum);
          free(jobs[t].partials[k].sum);
        }
        free(jobs[t].partials);
      }
    }
  }
}
