// How few query rows read a stream's rows from memory: in which order, how many at a time, and whether what follows
// is fetched meanwhile. What is fastest depends on the processor's prefetchers, and was measured
// (Documentation/Kernels.md).

typedef struct row_reading {
  int32_t tile_tokens;
  int32_t ways;  // parts of a range that are read side by side (addressing.h); 1: tokens in order
  bool fetches;  // what follows is asked for by instruction
} row_reading;

// Rows of which any order of tokens may be read: what is copied is copied in order.
INLINE bool may_be_woven(const int element, int64_t width) {
  return element != ATTN_ELEMENT_F32 && !is_copied(element, width);
}

// With vectors of 16 lanes, where the prefetchers follow many places: a single row over 16 bits is fastest with
// eight of keys and values each, all others with sixteen; float32, and a single row over FP8, in order. AMD's read
// several rows, and INT4, in order.
INLINE int32_t woven_ways(const attn_stream *stream, int keys, int values, int32_t rows) {
  const int32_t value_width = stream->value_is_key_prefix ? stream->key_width : stream->value_width;
  if (LANES != 16 || !may_be_woven(keys, stream->key_width) || !may_be_woven(values, value_width)) return 1;
  if (attn_is_zen && (rows > 1 || keys == ATTN_ELEMENT_INT4 || values == ATTN_ELEMENT_INT4)) return 1;
  if (rows > 1) return 16;
  if (keys == ATTN_ELEMENT_FP8 || values == ATTN_ELEMENT_FP8) return 1;
  return is_plain(keys) && is_plain(values) ? 8 : 16;
}

// Tokens of a tile whose keys and values are multiplied as float32, widened in registers. In general one side of a
// tile of the usual widths lies in the first-level cache, and what is done once a tile counts little. Where one or
// two rows leave the memory to bind, what suits its prefetchers is faster: with vectors of 16 lanes longer runs of
// one row over FP8 and shorter ones over 16 bits, with 8 lanes keys and values in turn by about a page of 4 KiB.
INLINE int32_t tokens_in_place(const attn_stream *stream, int32_t rows, bool is_plain_row) {
  enum { PAGE_BYTES = 4096, STEP = 16, LONG_RUN = 256, SHORT_RUN = 64 };
  if (LANES == 16 && rows == 1) return is_plain_row ? SHORT_RUN : LONG_RUN;
  if (LANES == 8 && rows <= 2 && is_plain_row) {
    const int64_t tokens = PAGE_BYTES / stream->key_row_bytes / STEP * STEP;
    return tokens < STEP ? STEP : tokens < ATTN_TILE_TOKENS ? (int32_t)tokens : ATTN_TILE_TOKENS;
  }
  return ATTN_TILE_TOKENS;
}

// The longest rows that AMD's prefetchers read at full speed unaided.
enum { UNAIDED_ROW_BYTES = 384 };

// Whether a single row is read in long runs of one side after the other. Over float32 it leaves time to spare and
// needs no cache; AMD's prefetchers read rows of 16 bits so too.
INLINE bool is_read_long(const attn_stream *stream, int keys, int values) {
  if (keys == ATTN_ELEMENT_F32 && values == ATTN_ELEMENT_F32) return true;
  return LANES == 16 && attn_is_zen && is_plain(keys) && is_plain(values) &&
         stream->key_row_bytes <= UNAIDED_ROW_BYTES && stream->value_row_bytes <= UNAIDED_ROW_BYTES;
}

// `in_place`: elements of keys, and of values that lie apart from them, are widened in registers.
INLINE row_reading row_reading_of(const attn_stream *stream, int32_t rows, bool in_place) {
  const int keys = stream->key_element;
  const int values = stream->value_is_key_prefix ? keys : stream->value_element;
  if (in_place && rows == 1 && is_read_long(stream, keys, values)) {
    // Nothing need be asked for, unless AMD's processors read longer rows.
    const int64_t longest = stream->key_row_bytes > stream->value_row_bytes ? stream->key_row_bytes : stream->value_row_bytes;
    const bool fetches = LANES == 16 && attn_is_zen && longest > UNAIDED_ROW_BYTES;
    return (row_reading){.tile_tokens = LONG_TILE_TOKENS, .ways = 1, .fetches = fetches};
  }
  return (row_reading){
      .tile_tokens = in_place ? tokens_in_place(stream, rows, is_plain(keys) && is_plain(values)) : ATTN_TILE_TOKENS,
      .ways = woven_ways(stream, keys, values, rows),
      .fetches = true,
  };
}
