// Rows as a cache stores them, written through the encoders under test and read back by the words of
// attention_kernels.h alone.
#ifndef STORED_ROWS_H
#define STORED_ROWS_H

#include "support.h"

// Float32 of one stored row; `token` matters to the custom element only.
void reference_decode_row(int32_t element, const char *row, int64_t width, int64_t token, float *out);
// Float32 of row `token` of a group that is quantised per channel.
void reference_decode_group_row(int32_t element, const char *group, int64_t token, int64_t width,
                                float *out);
// Writes one row, custom element included.
void write_row(int32_t element, const float *values, int64_t width, char *row);
int64_t written_row_bytes(int32_t element, int64_t width);

// The custom element of these tests: bytes with the token's parity as an offset.
typedef struct custom_context {
  float unit;
} custom_context;
extern const custom_context test_context;
void custom_decode(const void *context, const void *rows, int64_t row_bytes, int64_t first_token,
                   int32_t count, int32_t width, float *out);

static inline bool is_per_channel(int32_t element) {
  return element == ATTN_ELEMENT_INT8C || element == ATTN_ELEMENT_INT4C;
}

#endif
