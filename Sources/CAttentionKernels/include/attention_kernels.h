// The attend primitive: a group of query rows against one stream of cached rows.
//
// Everything here is plain C with no allocation and no global state except the table of instruction-set
// builds and what is known of the processor, which are filled in once. Widths are elements, strides of
// caches bytes, strides of float arrays elements. Accumulation is float32 throughout, and exact in
// integers before it where few query rows, with AVX-512 many too, meet INT8 or INT4 (then queries and
// weights are rounded to 16 bits). By matrix tiles (the build `amx`, from nine rows on) queries and weights
// are taken to 17 bits, and INT8 and INT4 rows, where tiles take those (from 33 rows on, latent INT4 from
// 17), to 15.
#ifndef ATTENTION_KERNELS_H
#define ATTENTION_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How a row's elements are stored.
//   F32, F16, BF16  as IEEE 754 and bfloat16 say
//   FP8             e4m3 (OCP 8-bit floating point, revision 1.0): no infinities, 0x7f is NaN,
//                   largest finite value 448
//   INT8            groups of 32 along the row, the last one as short as the row leaves it; a group
//                   is its scale s (f16), then an int8 q an element: x = s q, q in -127 ... 127
//   INT4            groups likewise: scale s and zero z (f16), then half a byte an element, the first
//                   half of the group in the low halves: x = s q + z, q in 0 ... 15
//   INT8C, INT4C    per channel over G tokens, see attn_groups
//   S8              int8 without a scale, of weights only
// CUSTOM rows go through a decode function. Widths of INT4 and INT4C are even.
typedef enum attn_element {
  ATTN_ELEMENT_F32 = 0,
  ATTN_ELEMENT_F16 = 1,
  ATTN_ELEMENT_BF16 = 2,
  ATTN_ELEMENT_FP8 = 3,
  ATTN_ELEMENT_INT8 = 4,
  ATTN_ELEMENT_INT4 = 5,
  ATTN_ELEMENT_INT8C = 6,
  ATTN_ELEMENT_INT4C = 7,
  ATTN_ELEMENT_S8 = 8,
  ATTN_ELEMENT_CUSTOM = 255,
} attn_element;

// Elements that share a scale, and the bytes of a whole group of them.
enum { ATTN_GROUP = 32, ATTN_INT8_GROUP_BYTES = 34, ATTN_INT4_GROUP_BYTES = 20 };

// Decodes `count` consecutive rows (tokens first_token ..< first_token + count) of `width`
// elements, `row_bytes` apart, to float32 rows `width` apart at `out`.
typedef void (*attn_decode_rows)(const void *context, const void *rows, int64_t row_bytes,
                                 int64_t first_token, int32_t count, int32_t width, float *out);

// Rows of INT8C and INT4C: G tokens form a group that is quantised per channel once the next group
// begins; until then its rows are f16 in the tail. A quantised group is
//   a scale (f16) a channel; for INT4C then a zero (f16) a channel; then a row a token of int8, or of
//   half bytes, packed 32 channels at a time as in INT4,
// with x = s q for INT8C and x = s q + z for INT4C. Rows of the cache count tokens as ever; row r lies
// in group r / G, so that pages and rings hold whole groups. key_row_bytes and value_row_bytes are
// those of a quantised row.
typedef struct attn_groups {
  int64_t tokens;          // G, 0 for every other element
  int64_t bytes;           // of a quantised group
  const void *tail;        // f16 row of token tail_begin
  int64_t tail_begin;      // first token that is not quantised yet
  int64_t tail_row_bytes;
} attn_groups;

// Where the rows of one stream of one sequence lie. One addressing serves three caches:
//   contiguous  page_table NULL, ring_tokens 0: token t is row t
//   ring        page_table NULL, ring_tokens R: token t < sink_tokens is row t, a later one row
//               sink_tokens + (t - sink_tokens) % R
//   paged       token t is row t % page_tokens of page page_table[t / page_tokens]
typedef struct attn_stream {
  const void *keys;           // first key row (paged: of physical page 0)
  const void *values;         // first value row; ignored when value_is_key_prefix
  const int32_t *page_table;  // logical page -> physical page, or NULL
  int64_t page_tokens;        // tokens a page (paged only)
  int64_t key_page_bytes;     // from one physical page's keys to the next one's
  int64_t value_page_bytes;
  int64_t ring_tokens;        // rows that wrap, 0: no ring
  int64_t sink_tokens;        // leading rows of a ring that are never overwritten
  int64_t key_row_bytes;
  int64_t value_row_bytes;
  int32_t key_width;
  int32_t value_width;
  int32_t value_is_key_prefix;  // the value is the first value_width elements of the key row
  int32_t key_element;          // attn_element
  int32_t value_element;        // attn_element; equals key_element when value_is_key_prefix
  attn_groups key_groups;    // for INT8C and INT4C
  attn_groups value_groups;  // equals key_groups when value_is_key_prefix
  attn_decode_rows key_decode;  // for ATTN_ELEMENT_CUSTOM, else NULL
  attn_decode_rows value_decode;
  const void *key_decode_context;
  const void *value_decode_context;
} attn_stream;

// Tokens begin ..< end.
typedef struct attn_range {
  int64_t begin;
  int64_t end;
} attn_range;

// What the calling thread attends after the present call, asked for when nothing of that call is left to be
// fetched: the first rows are then fetched while its last ones are computed with, so that short sequences
// follow each other as the tiles of a long one do. Results do not depend on it.
typedef struct attn_following {
  // Gives the stream and the ranges, which must live until the call returns, and returns their number; 0: nothing
  // follows. Asked at most once a call. Widths, elements and row bytes are those of the present call.
  int32_t (*claim)(void *context, const attn_stream **stream, const attn_range **ranges);
  void *context;
} attn_following;

// Query rows, already rotated: all heads of the stream's group, for one token at decode or for a
// block of tokens at prefill.
typedef struct attn_queries {
  const float *queries;  // row i at queries + i * query_stride, key_width elements
  int64_t query_stride;
  int32_t rows;
  float scale;     // multiplies q·k
  float soft_cap;  // c > 0: c * tanh(score / c) after scaling; 0: none
  // Row i sees token t of the ranges when t < row_end[i] and (t >= row_begin[i] or
  // t < sink_visible). NULL row_end: every row sees every token of the ranges.
  const int64_t *row_begin;
  const int64_t *row_end;
  int64_t sink_visible;
  const attn_following *following;  // or NULL
} attn_queries;

// The running state of a softmax-weighted sum, one entry a query row:
//   accumulator[i] = sum_t exp(s_t - maximum[i]) * v_t,  sum[i] = sum_t exp(s_t - maximum[i]).
typedef struct attn_partial {
  float *accumulator;          // row i at accumulator + i * accumulator_stride, value_width elements
  int64_t accumulator_stride;
  float *maximum;              // -infinity where nothing has been seen
  float *sum;
} attn_partial;

// Scratch bytes that one attn_attend call of just these widths needs (64-byte aligned by the caller).
size_t attn_workspace_bytes(int32_t rows, int32_t key_width, int32_t value_width);

// Sets a partial to "nothing seen": accumulator 0, maximum -infinity, sum 0.
void attn_partial_reset(attn_partial *partial, int32_t rows, int32_t value_width);

// Continues `partial` with the tokens of the ranges, which must lie within what the stream holds.
// Each cached row is read from memory once for all query rows.
void attn_attend(const attn_stream *stream, const attn_queries *queries, const attn_range *ranges,
                 int32_t range_count, attn_partial *partial, void *workspace);

// Merges `count` partials of the same rows and normalises into `out` (row i at
// out + i * out_stride). sink_logits (one a row, or NULL) join the softmax's denominator and carry
// no value. A row that saw nothing is zeros.
void attn_merge(const attn_partial *partials, int32_t count, int32_t rows, int32_t value_width,
                const float *sink_logits, float *out, int64_t out_stride);

// Element conversions, round to nearest even; NaN stays NaN.
void attn_encode_f16(const float *in, uint16_t *out, int64_t count);
void attn_decode_f16(const uint16_t *in, float *out, int64_t count);
void attn_encode_bf16(const float *in, uint16_t *out, int64_t count);
void attn_decode_bf16(const uint16_t *in, float *out, int64_t count);

// One row of F32, F16, BF16, FP8, INT8 or INT4. Values past the range of FP8 become +-448; NaN and
// infinity become NaN, in INT8 and INT4 of their whole group.
void attn_encode_row(int32_t element, const float *in, int64_t width, void *out);
void attn_decode_row(int32_t element, const void *row, int64_t width, float *out);
// Bytes of such a row, and of a quantised row of INT8C and INT4C.
int64_t attn_row_bytes(int32_t element, int64_t width);

// Quantises a group of INT8C or INT4C from its f16 rows (row t at tail + t * tail_row_bytes); a
// channel with a NaN or an infinity becomes NaN throughout the group.
void attn_encode_group(int32_t element, const void *tail, int64_t tail_row_bytes, int64_t tokens,
                       int64_t width, void *group);
// Row `token` of a quantised group as float32.
void attn_decode_group_row(int32_t element, const void *group, int64_t token, int64_t width,
                           float *out);
// Bytes of a quantised group.
int64_t attn_group_bytes(int32_t element, int64_t tokens, int64_t width);

// Rows of S8 weights: encoding returns the scale, the largest magnitude / 127 (NaN where an element is
// NaN or infinite), or takes a given one.
float attn_encode_s8(const float *in, int64_t width, void *out);
void attn_encode_s8_with(const float *in, int64_t width, float scale, void *out);
void attn_decode_s8(const void *row, float scale, int64_t width, float *out);

// Skinny products: out[r][o] = sum_i in[r][i] * weights[o][i] (+ bias[o]) for 1 ... 32 rows; each
// weight is read once. `element` is F32, F16, BF16 or S8; for S8 `scales` holds a factor an output,
// otherwise it is NULL. Outputs first ..< last are computed, so that workers can share them.
void attn_skinny_product(const void *weights, int32_t element, int64_t weight_stride_elements,
                         const float *scales,
                         const float *in, int64_t in_stride, int32_t rows, int64_t width,
                         const float *bias, float *out, int64_t out_stride, int64_t first,
                         int64_t last);

// The same with rows packed for it, once for all workers: for 1 ... 32 rows, faster from
// attn_skinny_least_packed_rows on (33: none is). The packed rows are those of the present instruction set and of the
// weights' element. Where a weight or an input is not finite, what would be infinite can be NaN.
int32_t attn_skinny_least_packed_rows(int32_t element);
int64_t attn_skinny_packed_floats(int32_t element, int32_t rows, int64_t width);
void attn_skinny_pack(int32_t element, const float *in, int64_t in_stride, int32_t rows, int64_t width,
                      float *packed);
void attn_skinny_product_packed(const void *weights, int32_t element, int64_t weight_stride_elements,
                                const float *scales, const float *packed, int32_t rows,
                                int64_t width, const float *bias, float *out, int64_t out_stride,
                                int64_t first, int64_t last);

// Instruction sets: "baseline", "avx2", "avx512", "avx512vnni", "amx", "neon". The best available one that has
// been cleared for automatic use is chosen at the first call; the environment's ATTNZOO_ISA forces one.
const char *attn_isa_name(void);
int attn_isa_count(void);                  // builds this machine can run
const char *attn_isa_at(int index);        // their names, baseline first
int attn_isa_select(const char *name);     // 0 on success, -1 unknown or not runnable here
int attn_isa_can_run(const char *name);    // whether this machine can; chooses nothing

// Machine probes. attn_probe_read touches every byte of `bytes` (a multiple of 64) once with
// wide loads and returns a checksum; attn_probe_fma runs `iterations` of independent float32
// fused multiply-adds and stores the number of FLOPs done; attn_probe_issue runs `rounds` of
// independent additions in all kinds of registers and returns the number of instructions: their rate
// falls when another thread takes issue slots of the same core.
uint64_t attn_probe_read(const void *data, size_t bytes);
float attn_probe_fma(int64_t iterations, int64_t *flops);
int64_t attn_probe_issue(int64_t rounds);

#ifdef __cplusplus
}
#endif
#endif
