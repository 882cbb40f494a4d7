// From a tile's scores to its weights, with the running maximum and sum of every row.

// Which tokens of a tile a query row sees: [0, head) and [tail, end).
typedef struct visible_tokens {
  int32_t head, tail, end;
} visible_tokens;

INLINE visible_tokens all_visible(int32_t count) { return (visible_tokens){0, 0, count}; }

INLINE int32_t clamp_token(int64_t token, int32_t count) {
  return token < 0 ? 0 : token > count ? count : (int32_t)token;
}

INLINE visible_tokens visible_in_tile(const attn_queries *queries, int32_t row, int64_t first,
                                      int32_t count) {
  if (!queries->row_end) return all_visible(count);
  visible_tokens v;
  v.end = clamp_token(queries->row_end[row] - first, count);
  v.tail = queries->row_begin ? clamp_token(queries->row_begin[row] - first, v.end) : 0;
  v.head = clamp_token(queries->sink_visible - first, v.end);
  if (v.head >= v.tail) v.head = v.tail = 0;
  return v;
}

INLINE bool sees_nothing(visible_tokens v) { return v.head == 0 && v.tail >= v.end; }
INLINE bool sees_all(visible_tokens v, int32_t count) { return v.tail == 0 && v.end == count; }

// Whether any of a block of rows sees some of a tile, and all of them all of it.
typedef struct rows_sight {
  bool any, all;
} rows_sight;

// What `rows` rows from `first_row` see of a tile, row by row and together.
INLINE rows_sight see_tile(const attn_queries *queries, int32_t first_row, int32_t rows, const tile *tile,
                           visible_tokens *visible) {
  rows_sight sight = {false, true};
  for (int32_t r = 0; r < rows; r++) {
    visible[r] = visible_in_tile(queries, first_row + r, tile->first, tile->count);
    sight.any |= !sees_nothing(visible[r]);
    sight.all &= sees_all(visible[r], tile->count);
  }
  return sight;
}

// Row r of `scores` (ATTN_TILE_TOKENS apart) becomes exp(score - maximum), 0 where it does not see
// the token; `rescale[r]` is the factor for what the row accumulated before.
static void softmax_tile(const attn_queries *queries, int32_t rows,
                         const visible_tokens *visible, int32_t count, float *scores,
                         float *maximum, float *sum, float *rescale) {
  const int32_t padded = (count + LANES - 1) / LANES * LANES;
  const vfloat scale = splat(queries->scale);
  const float cap = queries->soft_cap;
  float shift[ATTN_ROW_BLOCK];
  for (int32_t r = 0; r < ATTN_ROW_BLOCK; r++) rescale[r] = 0;
  for (int32_t r = 0; r < rows; r++) {
    float *s = scores + (int64_t)r * ATTN_TILE_TOKENS;
    visible_tokens v = visible[r];
    const bool whole = padded == count && sees_all(v, count);
    vfloat best = splat(-INFINITY);
    for (int32_t t = 0; t < padded; t += LANES) {
      vfloat x = load(s + t) * scale;
      if (cap > 0) x = soft_cap_vector(x, cap);
      store(s + t, x);
      best = max_vector(best, x);
    }
    if (!whole) {
      for (int32_t t = v.head; t < v.tail; t++) s[t] = -INFINITY;
      for (int32_t t = v.end; t < padded; t++) s[t] = -INFINITY;
      best = splat(-INFINITY);
      for (int32_t t = 0; t < padded; t += LANES) best = max_vector(best, load(s + t));
    }
    float old = maximum[r];
    float new = max_lanes(best);
    new = old > new ? old : new;
    // Where nothing finite was seen, any finite reference keeps exp(-infinity) = 0 and NaN a NaN.
    shift[r] = new == -INFINITY ? 0 : new;
    rescale[r] = old == new ? 0 : old - shift[r];
    maximum[r] = new;
  }
  for (int32_t r = 0; r < rows; r += LANES) store(rescale + r, exp_vector(load(rescale + r)));
  for (int32_t r = 0; r < rows; r++) {
    float *s = scores + (int64_t)r * ATTN_TILE_TOKENS;
    vfloat total = splat(0);
    for (int32_t t = 0; t < padded; t += LANES) {
      vfloat p = exp_vector(load(s + t) - splat(shift[r]));
      store(s + t, p);
      total = total + p;
    }
    sum[r] = sum[r] * rescale[r] + sum_lanes(total);
  }
}
