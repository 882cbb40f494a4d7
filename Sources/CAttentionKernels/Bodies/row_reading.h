// How few query rows read a stream's rows from memory: in which order, how many at a time, and what is fetched
// meanwhile. What is fastest depends on the processor's prefetchers, and was measured (Documentation/Kernels.md).

typedef struct row_reading {
  int32_t tile_tokens;
  int32_t ways;  // parts of a range that are read side by side (addressing.h); 1: tokens in order
  bool fetches;  // what follows is asked for by instruction
  bool by_row;   // by whole rows every few tokens, not by line between the multiply-adds
} row_reading;

enum {
  SHORT_RUN = 64,
  LONG_RUN = 256,
  // Bytes of a row of which the prefetchers of a processor that reads in order need no help.
  UNAIDED_ROW_BYTES = 384,
  UNAIDED_F32_ROW_BYTES = 256,
};

// Elements of rows that are read where they lie, and do not stand in groups of tokens.
INLINE bool is_woven_element(const int element) {
  switch (element) {
    case ATTN_ELEMENT_F16:
    case ATTN_ELEMENT_BF16:
    case ATTN_ELEMENT_FP8:
    case ATTN_ELEMENT_INT8:
    case ATTN_ELEMENT_INT4: return true;
    default: return false;
  }
}

// Where the prefetchers follow many places (Intel's, with vectors of 16 lanes). A single row over 16 bits is
// fastest with eight of keys and values each and short runs, all others with sixteen; float32, and a single row
// over FP8, in order, the latter in long runs.
INLINE row_reading woven_reading(int keys, int values, int32_t rows, bool in_place) {
  const bool is_plain_row = rows == 1 && is_plain(keys) && is_plain(values);
  const bool has_fp8 = keys == ATTN_ELEMENT_FP8 || values == ATTN_ELEMENT_FP8;
  row_reading reading = {.tile_tokens = ATTN_TILE_TOKENS, .ways = 1, .fetches = true};
  if (is_woven_element(keys) && is_woven_element(values) && !(rows == 1 && has_fp8)) {
    reading.ways = is_plain_row ? 8 : 16;
  }
  if (in_place && rows == 1) reading.tile_tokens = is_plain_row ? SHORT_RUN : LONG_RUN;
  return reading;
}

// Where they read fastest in order (AMD's, with vectors of 16 lanes): rows fetched whole, integers and latent
// rows by line. A single row over short rows of 16 bits in runs so long that nothing need be asked for.
INLINE row_reading ordered_reading(const attn_stream *stream, int keys, int values, int32_t rows, bool in_place) {
  row_reading reading = woven_reading(keys, values, rows, in_place);
  if (rows > 1 || keys == ATTN_ELEMENT_INT4 || values == ATTN_ELEMENT_INT4) {
    reading.ways = 1;
    reading.by_row = in_place;
  } else if (in_place && is_plain(keys) && is_plain(values) && stream->key_row_bytes <= UNAIDED_ROW_BYTES &&
             stream->value_row_bytes <= UNAIDED_ROW_BYTES) {
    reading = (row_reading){.tile_tokens = LONG_TILE_TOKENS, .ways = 1};
  }
  return reading;
}

// With 8 lanes or fewer: rows are fetched whole. Where one or two rows leave the memory to bind, keys and values
// come in turn by about a page of 4 KiB.
INLINE row_reading paged_reading(const attn_stream *stream, int keys, int values, int32_t rows, bool in_place) {
  enum { PAGE_BYTES = 4096, STEP = 16 };
  row_reading reading = {.tile_tokens = ATTN_TILE_TOKENS, .ways = 1, .fetches = true, .by_row = true};
  if (in_place && LANES == 8 && rows <= 2 && is_plain(keys) && is_plain(values)) {
    const int64_t tokens = PAGE_BYTES / stream->key_row_bytes / STEP * STEP;
    reading.tile_tokens = tokens < STEP ? STEP : tokens < ATTN_TILE_TOKENS ? (int32_t)tokens : ATTN_TILE_TOKENS;
  }
  return reading;
}

// `in_place`: stored elements of keys and of values that lie apart from them are multiplied as float32, widened in
// registers.
INLINE row_reading row_reading_of(const attn_stream *stream, int32_t rows, bool in_place) {
  const int keys = stream->key_element;
  const int values = stream->value_is_key_prefix ? keys : stream->value_element;
  if (in_place && rows == 1 && keys == ATTN_ELEMENT_F32 && values == ATTN_ELEMENT_F32) {
    // A single row over float32 leaves time to spare and needs no cache: long runs of one side after the other
    // suit the prefetchers, which mostly need nothing asked for.
    return (row_reading){.tile_tokens = LONG_TILE_TOKENS, .ways = 1,
                         .fetches = LANES == 16 && attn_is_zen && stream->key_row_bytes > UNAIDED_F32_ROW_BYTES,
                         .by_row = LANES != 16};
  }
  if (LANES != 16) return paged_reading(stream, keys, values, rows, in_place);
  if (attn_is_zen) return ordered_reading(stream, keys, values, rows, in_place);
  return woven_reading(keys, values, rows, in_place);
}
