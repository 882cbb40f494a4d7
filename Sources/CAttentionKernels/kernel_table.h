// The table of one instruction-set build. Every build file compiles the same bodies and exports
// one of these; dispatch.c chooses among them.
#ifndef ATTN_KERNEL_TABLE_H
#define ATTN_KERNEL_TABLE_H

#include "include/attention_kernels.h"

typedef struct attn_kernel_table {
  const char *name;
  void (*attend)(const attn_stream *, const attn_queries *, const attn_range *, int32_t,
                 attn_partial *, void *);
  void (*merge)(const attn_partial *, int32_t, int32_t, int32_t, const float *, float *, int64_t);
  void (*encode_f16)(const void *, void *, int64_t);
  void (*decode_f16)(const void *, void *, int64_t);
  void (*encode_bf16)(const void *, void *, int64_t);
  void (*decode_bf16)(const void *, void *, int64_t);
  void (*encode_row)(int32_t, const float *, int64_t, void *);
  void (*decode_row)(int32_t, const void *, int64_t, float *);
  float (*largest_magnitude)(const float *, int64_t);
  void (*encode_s8)(const float *, int64_t, float, void *);
  void (*decode_s8)(const void *, float, int64_t, float *);
  void (*encode_group)(int32_t, const void *, int64_t, int64_t, int64_t, void *);
  void (*decode_group_row)(int32_t, const void *, int64_t, int64_t, float *);
  void (*skinny_product)(const void *, int32_t, int64_t, const float *, const float *, int64_t, int32_t,
                         int64_t, const float *, float *, int64_t, int64_t, int64_t);
  int64_t (*skinny_packed_floats)(int32_t, int64_t);
  void (*skinny_pack)(const float *, int64_t, int32_t, int64_t, float *);
  void (*skinny_product_packed)(const void *, int32_t, int64_t, const float *, const float *, int32_t,
                                int64_t, const float *, float *, int64_t, int64_t, int64_t);
  uint64_t (*probe_read)(const void *, size_t);
  float (*probe_fma)(int64_t, int64_t *);
  int64_t (*probe_issue)(int64_t);
} attn_kernel_table;

#if defined(__x86_64__)
#define ATTN_HAS_X86_BUILDS 1
extern const attn_kernel_table attn_table_avx2;
extern const attn_kernel_table attn_table_avx512;
extern const attn_kernel_table attn_table_avx512vnni;
#endif
#if defined(__aarch64__)
extern const attn_kernel_table attn_table_neon;
#endif
extern const attn_kernel_table attn_table_baseline;

// Bytes of scales and zeros in front of a quantised group of INT8C or INT4C.
static inline int64_t attn_group_header_bytes(int32_t element, int64_t width) {
  return element == ATTN_ELEMENT_INT4C ? 4 * width : 2 * width;
}

// Tokens a tile holds at most: a multiple of every build's block of tokens.
enum { ATTN_TILE_TOKENS = 96 };

// Query rows that take a tile's scores, softmax and value product together: whole panels of every
// build.
enum { ATTN_ROW_BLOCK = 32 };

// The widest vector of any build, in floats: the unit in which the workspace is padded.
enum { ATTN_MAX_LANES = 16 };

// What products of integers need (Bodies/integers.h).
enum { ATTN_INTEGER_BYTES = 104 << 10 };

// Workspace layout shared by all builds, so that a selection between sizing and calling is safe.
typedef struct attn_workspace_layout {
  int64_t key_stride;    // floats from row to row of the widened key tile
  int64_t value_stride;  // the same for values
  size_t key_tile, value_tile, queries, scores, integers, total;  // byte offsets, then the sum
} attn_workspace_layout;

static inline int64_t attn_padded_stride(int64_t width) {
  // One vector more than the width, so that rows of power-of-two widths do not share cache sets.
  return (width + ATTN_MAX_LANES - 1) / ATTN_MAX_LANES * ATTN_MAX_LANES + ATTN_MAX_LANES;
}

static inline attn_workspace_layout attn_lay_out_workspace(int64_t rows, int64_t key_width,
                                                           int64_t value_width) {
  attn_workspace_layout layout;
  layout.key_stride = attn_padded_stride(key_width);
  layout.value_stride = attn_padded_stride(value_width);
  layout.key_tile = 0;
  layout.value_tile =
      layout.key_tile + sizeof(float) * (size_t)(ATTN_TILE_TOKENS * layout.key_stride);
  layout.queries =
      layout.value_tile + sizeof(float) * (size_t)(ATTN_TILE_TOKENS * layout.value_stride);
  const int64_t packed_rows = (rows + ATTN_ROW_BLOCK - 1) / ATTN_ROW_BLOCK * ATTN_ROW_BLOCK;
  layout.scores = layout.queries + sizeof(float) * (size_t)(packed_rows * key_width);
  layout.integers = layout.scores + sizeof(float) * (size_t)(ATTN_TILE_TOKENS * ATTN_ROW_BLOCK);
  layout.total = layout.integers + ATTN_INTEGER_BYTES;
  return layout;
}

#endif
