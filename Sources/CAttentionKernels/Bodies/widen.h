// Copies of a tile in float32: row by row, or transposed so that a vector holds one element of
// LANES tokens. Either is made once a tile, whatever the number of query rows.

// Writes zeros up to the next multiple of LANES.
INLINE void widen_row(const int element, const char *row, int64_t width, float *out) {
  int64_t i = 0;
  if (is_blocked(element)) {
    for (; i + ATTN_GROUP <= width; i += ATTN_GROUP) {
      vfloat y[GROUP_VECTORS];
      load_block(element, row, i, y);
      UNROLL for (int v = 0; v < GROUP_VECTORS; v++) store(out + i + v * LANES, y[v]);
    }
    if (element == ATTN_ELEMENT_INT4 && i < width) {
      widen_last_int4(row + i / ATTN_GROUP * ATTN_INT4_GROUP_BYTES, width - i, out + i);
      for (i = width; i % LANES != 0; i++) out[i] = 0;
      return;
    }
  }
  for (; i + LANES <= width; i += LANES) store(out + i, load_element(element, row, i));
  if (i < width) store(out + i, load_element_tail(element, row, i, width - i));
}

INLINE bool is_per_channel(int element) {
  return element == ATTN_ELEMENT_INT8C || element == ATTN_ELEMENT_INT4C;
}

// Whether rows are copied to float32 before anything reads them. Half bytes are read in place only in
// whole blocks.
INLINE bool is_copied(int element, int64_t width) {
  return element == ATTN_ELEMENT_CUSTOM || is_per_channel(element) ||
         (element == ATTN_ELEMENT_INT4 && width % ATTN_GROUP != 0);
}

INLINE void widen_columns_of(const int element, const char *const *rows, int32_t count, int64_t first,
                             int64_t width, float *out, int64_t stride) {
  const int64_t offset = first / ATTN_GROUP * block_bytes(element);
  for (int32_t t = 0; t < count; t++) widen_row(element, rows[t] + offset, width, out + t * stride);
}

// Columns first ..< first + width of stored rows, `first` a multiple of ATTN_GROUP.
static void widen_columns(int element, const char *const *rows, int32_t count, int64_t first,
                          int64_t width, float *out, int64_t stride) {
#define WIDEN_ELEMENT(ELEMENT) widen_columns_of(ELEMENT, rows, count, first, width, out, stride)
  FOR_ELEMENT(element, WIDEN_ELEMENT)
#undef WIDEN_ELEMENT
}

static void widen_rows(int element, const char *const *rows, int32_t count, int64_t width,
                       float *out, int64_t stride) {
  widen_columns(element, rows, count, 0, width, out, stride);
}

// Rows that nothing reads in place: of a custom codec, one call a run of rows and
// float32 rows `width` apart; or quantised per channel, with the tail in f16.
static void copy_rows(const attn_stream *stream, bool values, const tile *tile, float *out,
                      int64_t stride) {
  const bool of_values = values && !stream->value_is_key_prefix;
  const int element = of_values ? stream->value_element : stream->key_element;
  const int32_t width = of_values ? stream->value_width : stream->key_width;
  attn_decode_rows decode = of_values ? stream->value_decode : stream->key_decode;
  const void *context = of_values ? stream->value_decode_context : stream->key_decode_context;
  for (int32_t t = 0; t < tile->count;) {
    run r = run_at(stream, tile->first + t, tile->count - t);
    const run_side *side = of_values ? &r.values : &r.keys;
    float *target = out + (int64_t)t * stride;
    if (element == ATTN_ELEMENT_CUSTOM) {
      decode(context, side->rows, side->row_bytes, tile->first + t, (int32_t)r.tokens, width,
             target);
    } else if (side->group) {
      widen_channels(element, side->group, side->rows, side->row_bytes, r.tokens, width, target,
                     stride);
    } else {
      // The tail of channels, or half bytes that do not fill their last block.
      for (int64_t i = 0; i < r.tokens; i++) {
        const char *row = side->rows + i * side->row_bytes;
        if (element == ATTN_ELEMENT_INT4) {
          widen_row(ATTN_ELEMENT_INT4, row, width, target + i * stride);
        } else {
          widen_row(ATTN_ELEMENT_F16, row, width, target + i * stride);
        }
      }
    }
    t += (int32_t)r.tokens;
  }
}
