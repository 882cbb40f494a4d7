// Chooses the instruction-set build and forwards the public calls to it.
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "self_check.h"

#if ATTN_HAS_X86_BUILDS && defined(__linux__) && !defined(ATTN_EMULATED_TILES)
#define MAY_HAVE_TILES 1
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { MAX_BUILDS = 5 };

static const attn_kernel_table *builds[MAX_BUILDS];
static int build_count;
static const attn_kernel_table *selected;  // read and written atomically
bool attn_is_zen;
static pthread_once_t once = PTHREAD_ONCE_INIT, builds_once = PTHREAD_ONCE_INIT;

static const attn_kernel_table *find_build(const char *name) {
  for (int i = 0; i < build_count; i++) {
    if (strcmp(builds[i]->name, name) == 0) return builds[i];
  }
  return NULL;
}

#if MAY_HAVE_TILES
// Whether the processor has tiles of bfloat16 and the kernel keeps them for this process, which it has to
// be asked for (Linux 5.16, Documentation/arch/x86/xstate.rst).
static bool may_use_tiles(void) {
  enum { BF16 = 1 << 22, TILES = 1 << 24, OSXSAVE = 1 << 27, TILE_STATE = 3 << 17 };
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (BF16 | TILES)) != (BF16 | TILES)) return false;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & TILE_STATE) != TILE_STATE) return false;
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

// The builds that this machine can run, the best one last.
static void find_builds(void) {
  builds[build_count++] = &attn_table_baseline;
#if defined(__aarch64__)
  builds[build_count++] = &attn_table_neon;
#elif ATTN_HAS_X86_BUILDS
  __builtin_cpu_init();
  attn_is_zen = __builtin_cpu_is("amd");
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    builds[build_count++] = &attn_table_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      builds[build_count++] = &attn_table_avx512;
      if (__builtin_cpu_supports("avx512vnni")) {
        builds[build_count++] = &attn_table_avx512vnni;
#if MAY_HAVE_TILES
        if (may_use_tiles()) builds[build_count++] = &attn_table_amx;
#endif
      }
    }
#ifdef ATTN_EMULATED_TILES
    builds[build_count++] = &attn_table_amx;
#endif
  }
#endif
}

// Builds for which Documentation/Kernels.md records no conformance run: they have to be asked for. None at
// present.
static const char *const uncleared[] = {NULL};

static bool is_cleared(const attn_kernel_table *build) {
  for (int i = 0; uncleared[i]; i++) {
    if (strcmp(build->name, uncleared[i]) == 0) return false;
  }
  return true;
}

static void fill_table(void) {
  pthread_once(&builds_once, find_builds);
  const attn_kernel_table *choice = builds[0];
  for (int i = 1; i < build_count; i++) {
    if (is_cleared(builds[i])) choice = builds[i];
  }
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
  if (choice != &attn_table_baseline && !attn_agrees_with_baseline(choice)) {
    fprintf(stderr, "the %s kernels disagree with the baseline on this machine; using baseline\n",
            choice->name);
    choice = &attn_table_baseline;
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

int attn_isa_can_run(const char *name) {
  pthread_once(&builds_once, find_builds);
  return name && find_build(name);
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
  return attn_lay_out_workspace(rows, key_width, value_width).total;
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

void attn_encode_row(int32_t element, const float *in, int64_t width, void *out) {
  table()->encode_row(element, in, width, out);
}

void attn_decode_row(int32_t element, const void *row, int64_t width, float *out) {
  table()->decode_row(element, row, width, out);
}

int64_t attn_row_bytes(int32_t element, int64_t width) {
  const int64_t groups = (width + ATTN_GROUP - 1) / ATTN_GROUP;
  switch (element) {
    case ATTN_ELEMENT_F32: return width * 4;
    case ATTN_ELEMENT_F16:
    case ATTN_ELEMENT_BF16: return width * 2;
    case ATTN_ELEMENT_INT8: return width + groups * (ATTN_INT8_GROUP_BYTES - ATTN_GROUP);
    case ATTN_ELEMENT_INT4: return width / 2 + groups * (ATTN_INT4_GROUP_BYTES - ATTN_GROUP / 2);
    case ATTN_ELEMENT_INT4C: return width / 2;
    default: return width;
  }
}

void attn_encode_group(int32_t element, const void *tail, int64_t tail_row_bytes, int64_t tokens,
                       int64_t width, void *group) {
  table()->encode_group(element, tail, tail_row_bytes, tokens, width, group);
}

void attn_decode_group_row(int32_t element, const void *group, int64_t token, int64_t width,
                           float *out) {
  table()->decode_group_row(element, group, token, width, out);
}

int64_t attn_group_bytes(int32_t element, int64_t tokens, int64_t width) {
  return attn_group_header_bytes(element, width) + tokens * attn_row_bytes(element, width);
}

float attn_encode_s8(const float *in, int64_t width, void *out) {
  const float scale = table()->largest_magnitude(in, width) / 127;
  table()->encode_s8(in, width, scale, out);
  return scale;
}

void attn_encode_s8_with(const float *in, int64_t width, float scale, void *out) {
  table()->encode_s8(in, width, scale, out);
}

void attn_decode_s8(const void *row, float scale, int64_t width, float *out) {
  table()->decode_s8(row, scale, width, out);
}

void attn_skinny_product(const void *weights, int32_t element, int64_t weight_stride_elements,
                         const float *scales, const float *in, int64_t in_stride, int32_t rows,
                         int64_t width, const float *bias, float *out, int64_t out_stride,
                         int64_t first, int64_t last) {
  table()->skinny_product(weights, element, weight_stride_elements, scales, in, in_stride, rows, width,
                          bias, out, out_stride, first, last);
}

int32_t attn_skinny_least_packed_rows(int32_t element) {
  return table()->skinny_least_packed_rows(element);
}

int64_t attn_skinny_packed_floats(int32_t element, int32_t rows, int64_t width) {
  return rows > 0 ? table()->skinny_packed_floats(element, rows, width) : 0;
}

void attn_skinny_pack(int32_t element, const float *in, int64_t in_stride, int32_t rows, int64_t width,
                      float *packed) {
  table()->skinny_pack(element, in, in_stride, rows, width, packed);
}

void attn_skinny_product_packed(const void *weights, int32_t element, int64_t weight_stride_elements,
                                const float *scales, const float *packed, int32_t rows,
                                int64_t width, const float *bias, float *out, int64_t out_stride,
                                int64_t first, int64_t last) {
  table()->skinny_product_packed(weights, element, weight_stride_elements, scales, packed, rows, width,
                                 bias, out, out_stride, first, last);
}

uint64_t attn_probe_read(const void *data, size_t bytes) { return table()->probe_read(data, bytes); }

float attn_probe_fma(int64_t iterations, int64_t *flops) {
  return table()->probe_fma(iterations, flops);
}

int64_t attn_probe_issue(int64_t rounds) { return table()->probe_issue(rounds); }
