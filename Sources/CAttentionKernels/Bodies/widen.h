// Copies of a tile in float32: row by row, or transposed so that a vector holds one element of
// LANES tokens. Either is made once a tile, whatever the number of query rows.

INLINE void widen_row(const int element, const char *row, int64_t width, float *out) {
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) store(out + i, load_element(element, row, i));
  if (i < width) store(out + i, load_element_tail(element, row, i, width - i));
}

static void widen_rows(int element, const char *const *rows, int32_t count, int64_t width,
                       float *out, int64_t stride) {
  for (int32_t t = 0; t < count; t++) {
    switch (element) {
      case ATTN_ELEMENT_F32: widen_row(ATTN_ELEMENT_F32, rows[t], width, out + t * stride); break;
      case ATTN_ELEMENT_F16: widen_row(ATTN_ELEMENT_F16, rows[t], width, out + t * stride); break;
      default: widen_row(ATTN_ELEMENT_BF16, rows[t], width, out + t * stride); break;
    }
  }
}

// Rows of a codec: one call a run of rows, float32 rows `width` apart.
static void decode_rows(const attn_stream *stream, bool values, const tile *tile, float *out) {
  int64_t row_bytes = values ? stream->value_row_bytes : stream->key_row_bytes;
  int32_t width = values ? stream->value_width : stream->key_width;
  attn_decode_rows decode = values ? stream->value_decode : stream->key_decode;
  const void *context = values ? stream->value_decode_context : stream->key_decode_context;
  for (int32_t t = 0; t < tile->count;) {
    run r = run_at(stream, tile->first + t, tile->count - t);
    decode(context, values ? r.values : r.keys, row_bytes, tile->first + t, (int32_t)r.tokens,
           width, out + (int64_t)t * width);
    t += (int32_t)r.tokens;
  }
}

INLINE void transpose_rows_of(const int element, const char *const *rows, int32_t count,
                              int64_t width, float *columns) {
  for (int32_t t = 0; t < count; t += LANES) {
    for (int64_t i = 0; i < width; i += LANES) {
      vfloat block[LANES];
      if (i + LANES <= width) {
        UNROLL for (int j = 0; j < LANES; j++) block[j] = load_element(element, rows[t + j], i);
      } else {
        for (int j = 0; j < LANES; j++) {
          block[j] = load_element_tail(element, rows[t + j], i, width - i);
        }
      }
      transpose(block);
      UNROLL for (int j = 0; j < LANES; j++) {
        store(columns + (i + j) * ATTN_TILE_TOKENS + t, block[j]);
      }
    }
  }
}

// Element i of token t at columns[i * ATTN_TILE_TOKENS + t]; columns are written up to the next
// multiple of LANES in both directions.
static void transpose_rows(int element, const char *const *rows, int32_t count, int64_t width,
                           float *columns) {
  switch (element) {
    case ATTN_ELEMENT_F32: transpose_rows_of(ATTN_ELEMENT_F32, rows, count, width, columns); break;
    case ATTN_ELEMENT_F16: transpose_rows_of(ATTN_ELEMENT_F16, rows, count, width, columns); break;
    default: transpose_rows_of(ATTN_ELEMENT_BF16, rows, count, width, columns); break;
  }
}
