// The table of one instruction-set build. Every build file compiles the same bodies and exports
// one of these; dispatch.c chooses among them.
#ifndef ATTN_KERNEL_TABLE_H
#define ATTN_KERNEL_TABLE_H

#include <stdbool.h>

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
  int32_t (*skinny_least_packed_rows)(int32_t);
  int64_t (*skinny_packed_floats)(int32_t, int32_t, int64_t);
  void (*skinny_pack)(int32_t, const float *, int64_t, int32_t, int64_t, float *);
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
extern const attn_kernel_table attn_table_amx;
#endif
#if defined(__aarch64__)
extern const attn_kernel_table attn_table_neon;
#endif
extern const attn_kernel_table attn_table_baseline;

// Whether this is one of AMD's processors, whose caches and prefetchers want other choices than Intel's with the
// same vectors of 16 lanes: Bodies/row_reading.h, Bodies/skinny_groups.h, Bodies/skinny_packed.h,
// Bodies/skinny_panel.h. Set with the builds.
extern bool attn_is_zen;

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
enum { ATTN_INTEGER_BYTES = 152 << 10 };

// Workspace of matrix tiles (Bodies/tile_operands.h): byte offsets and strides of its parts.
typedef struct attn_tile_layout {
  int32_t tokens;      // of a tile of tokens
  int32_t row_blocks;  // of 16 query rows
  int64_t key_depth;   // elements of a row of keys, whole steps of 32
  int64_t key_stride, value_stride, weight_stride;  // bytes
  int64_t sum_stride;                               // floats
  size_t keys, values, queries, scores, weights, sums, total;
} attn_tile_layout;

// Bytes of keys and values of a tile of tokens, in two pieces of two bytes an element: they leave room in a
// second-level cache of 2 MiB.
enum { ATTN_TILE_OPERAND_BYTES = 640 << 10 };

static inline int64_t attn_whole_steps(int64_t count) { return (count + 31) / 32 * 32; }

// An odd number of lines, so that rows of a tile do not share cache sets.
static inline int64_t attn_odd_lines(int64_t bytes) { return (bytes + 63) / 128 * 128 + 64; }

static inline attn_tile_layout attn_lay_out_tiles(int64_t rows, int64_t key_width, int64_t value_width) {
  attn_tile_layout l;
  l.row_blocks = (int32_t)((rows + 15) / 16);
  l.key_depth = attn_whole_steps(key_width);
  l.key_stride = attn_odd_lines(2 * l.key_depth);
  l.value_stride = attn_odd_lines(4 * attn_whole_steps(value_width));
  const int64_t tokens = ATTN_TILE_OPERAND_BYTES / (2 * l.key_stride + l.value_stride) / 32 * 32;
  l.tokens = tokens < 32 ? 32 : tokens > 128 ? 128 : (int32_t)tokens;
  l.weight_stride = attn_odd_lines(2 * l.tokens);
  l.sum_stride = attn_odd_lines(4 * attn_whole_steps(value_width)) / 4;
  l.keys = 0;
  l.values = l.keys + (size_t)(2 * l.tokens * l.key_stride);
  l.queries = l.values + (size_t)(l.tokens * l.value_stride);
  l.scores = l.queries + (size_t)(l.row_blocks * 16 * l.key_depth * 2 * 2);
  l.weights = l.scores + (size_t)(l.tokens * ATTN_ROW_BLOCK * 4);
  l.sums = l.weights + (size_t)(2 * ATTN_ROW_BLOCK * l.weight_stride);
  l.total = l.sums + (size_t)(l.row_blocks * 16 * l.sum_stride * 4);
  return l;
}

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
#if ATTN_HAS_X86_BUILDS
  const size_t tiles = attn_lay_out_tiles(rows, key_width, value_width).total;
  if (tiles > layout.total) layout.total = tiles;
#endif
  return layout;
}

#endif
