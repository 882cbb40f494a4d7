// Chooses the instruction-set build and forwards the public calls to it.
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_table.h"

enum { MAX_BUILDS = 3 };

static const attn_kernel_table *builds[MAX_BUILDS];
static int build_count;
static const attn_kernel_table *selected;  // read and written atomically
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const attn_kernel_table *find_build(const char *name) {
  for (int i = 0; i < build_count; i++) {
    if (strcmp(builds[i]->name, name) == 0) return builds[i];
  }
  return NULL;
}

static void fill_table(void) {
  builds[build_count++] = &attn_table_baseline;
#if ATTN_HAS_X86_BUILDS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    builds[build_count++] = &attn_table_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      builds[build_count++] = &attn_table_avx512;
    }
  }
#endif
  const attn_kernel_table *choice = builds[build_count - 1];
  const char *wanted = getenv("ATTNZOO_ISA");
  if (wanted && *wanted) {
    const attn_kernel_table *found = find_build(wanted);
    if (found) {
      choice = found;
    } else {
      fprintf(stderr, "ATTNZOO_ISA=%s is unknown or not runnable here; using %s\n", wanted,
              choice->name);
    }
  }
  __atomic_store_n(&selected, choice, __ATOMIC_RELEASE);
}

static inline const attn_kernel_table *table(void) {
  const attn_kernel_table *current = __atomic_load_n(&selected, __ATOMIC_ACQUIRE);
  if (__builtin_expect(current == NULL, 0)) {
    pthread_once(&once, fill_table);
    current = __atomic_load_n(&selected, __ATOMIC_ACQUIRE);
  }
  return current;
}

const char *attn_isa_name(void) { return table()->name; }

int attn_isa_count(void) {
  table();
  return build_count;
}

const char *attn_isa_at(int index) {
  table();
  return index >= 0 && index < build_count ? builds[index]->name : NULL;
}

int attn_isa_select(const char *name) {
  table();
  const attn_kernel_table *found = name ? find_build(name) : NULL;
  if (!found) return -1;
  __atomic_store_n(&selected, found, __ATOMIC_RELEASE);
  return 0;
}

size_t attn_workspace_bytes(int32_t rows, int32_t key_width, int32_t value_width) {
  (void)rows;  // row blocks bound the scores, whatever the number of rows
  return attn_lay_out_workspace(key_width, value_width).total;
}

void attn_partial_reset(attn_partial *partial, int32_t rows, int32_t value_width) {
  for (int32_t i = 0; i < rows; i++) {
    memset(partial->accumulator + i * partial->accumulator_stride, 0,
           sizeof(float) * (size_t)value_width);
    partial->maximum[i] = -INFINITY;
    partial->sum[i] = 0;
  }
}

void attn_attend(const attn_stream *stream, const attn_queries *queries, const attn_range *ranges,
                 int32_t range_count, attn_partial *partial, void *workspace) {
  table()->attend(stream, queries, ranges, range_count, partial, workspace);
}

void attn_merge(const attn_partial *partials, int32_t count, int32_t rows, int32_t value_width,
                const float *sink_logits, float *out, int64_t out_stride) {
  table()->merge(partials, count, rows, value_width, sink_logits, out, out_stride);
}

void attn_encode_f16(const float *in, uint16_t *out, int64_t count) {
  table()->encode_f16(in, out, count);
}

void attn_decode_f16(const uint16_t *in, float *out, int64_t count) {
  table()->decode_f16(in, out, count);
}

void attn_encode_bf16(const float *in, uint16_t *out, int64_t count) {
  table()->encode_bf16(in, out, count);
}

void attn_decode_bf16(const uint16_t *in, float *out, int64_t count) {
  table()->decode_bf16(in, out, count);
}

void attn_skinny_product(const void *weights, int32_t element, int64_t weight_stride_elements,
                         const float *in, int64_t in_stride, int32_t rows, int64_t width,
                         const float *bias, float *out, int64_t out_stride, int64_t first,
                         int64_t last) {
  table()->skinny_product(weights, element, weight_stride_elements, in, in_stride, rows, width,
                          bias, out, out_stride, first, last);
}

uint64_t attn_probe_read(const void *data, size_t bytes) { return table()->probe_read(data, bytes); }

float attn_probe_fma(int64_t iterations, int64_t *flops) {
  return table()->probe_fma(iterations, flops);
}
