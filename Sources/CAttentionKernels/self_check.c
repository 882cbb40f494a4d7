// A build against the baseline on small shapes, before it is used: a compiler's or a machine's fault
// must not become a wrong answer. Takes well under a millisecond.
#include "self_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Widths with a tail, of whole groups, and with four groups of INT8 and INT4 and one more.
enum { TOKENS = 61, TAIL = 72, VALUES = 64, WIDTH = 160, ROWS = 12 };

typedef struct check_buffers {
  float rows[TOKENS * WIDTH];
  float queries[ROWS * WIDTH];
  char stored[TOKENS * WIDTH * 4];
  float accumulator[2][ROWS * VALUES];
  float maximum[2][ROWS], sum[2][ROWS];
  float out[2][ROWS * VALUES];
} check_buffers;

static float next_value(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(int32_t)*state * 0x1p-31f;
}

// The element's rows of `width` attended by `rows` queries, in the build and in the baseline.
static bool agrees(const attn_kernel_table *build, int32_t element, int32_t rows, int32_t width,
                   check_buffers *b, void *workspace) {
  // Beside INT8 and INT4 queries and weights may be rounded to 16 bits.
  const bool integers = element == ATTN_ELEMENT_INT8 || element == ATTN_ELEMENT_INT4;
  const float tolerance = integers ? 1e-4f : 2e-5f;
  const int64_t row_bytes = attn_row_bytes(element, width);
  for (int64_t t = 0; t < TOKENS; t++) {
    char other[WIDTH * 4];
    char *row = b->stored + t * row_bytes;
    build->encode_row(element, b->rows + t * WIDTH, width, row);
    attn_table_baseline.encode_row(element, b->rows + t * WIDTH, width, other);
    if (memcmp(row, other, (size_t)row_bytes) != 0) return false;
  }
  const attn_stream stream = {.keys = b->stored, .key_row_bytes = row_bytes, .key_width = width,
                              .value_row_bytes = row_bytes, .value_width = VALUES,
                              .value_is_key_prefix = 1, .key_element = element,
                              .value_element = element};
  const attn_queries queries = {
      .queries = b->queries, .query_stride = WIDTH, .rows = rows, .scale = 0.3f};
  const attn_range range = {0, TOKENS};
  const attn_kernel_table *both[2] = {build, &attn_table_baseline};
  for (int i = 0; i < 2; i++) {
    attn_partial partial = {b->accumulator[i], VALUES, b->maximum[i], b->sum[i]};
    attn_partial_reset(&partial, rows, VALUES);
    both[i]->attend(&stream, &queries, &range, 1, &partial, workspace);
    both[i]->merge(&partial, 1, rows, VALUES, NULL, b->out[i], VALUES);
  }
  for (int32_t i = 0; i < rows * VALUES; i++) {
    if (!(fabsf(b->out[0][i] - b->out[1][i]) <= tolerance)) return false;
  }
  return true;
}

bool attn_agrees_with_baseline(const attn_kernel_table *build) {
  static const int32_t elements[] = {ATTN_ELEMENT_F32, ATTN_ELEMENT_F16,  ATTN_ELEMENT_BF16,
                                     ATTN_ELEMENT_FP8, ATTN_ELEMENT_INT8, ATTN_ELEMENT_INT4};
  static const int32_t row_counts[] = {1, 4, ROWS}, widths[] = {TAIL, VALUES, WIDTH};
  const size_t workspace_bytes = attn_workspace_bytes(ROWS, WIDTH, VALUES);
  check_buffers *b = malloc(sizeof *b);
  void *workspace = aligned_alloc(64, (workspace_bytes + 63) / 64 * 64);
  bool result = b && workspace;
  if (result) {
    uint32_t state = 1;
    for (int i = 0; i < TOKENS * WIDTH; i++) b->rows[i] = next_value(&state);
    for (int i = 0; i < ROWS * WIDTH; i++) b->queries[i] = next_value(&state);
    for (int e = 0; e < 6; e++) {
      for (int i = 0; i < 9; i++) {
        result = result && agrees(build, elements[e], row_counts[i / 3], widths[i % 3], b, workspace);
      }
    }
  }
  free(workspace);
  free(b);
  return result;
}
