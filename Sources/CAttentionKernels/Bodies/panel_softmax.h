// The softmax of many query rows, whose scores lie side by side.

// Scores of a tile, rows side by side, become weights; see softmax_tile. `maximum` and `sum` hold
// whole vectors of rows.
static void softmax_vectors(const attn_queries *queries, int32_t rows, const visible_tokens *visible,
                            bool all, int32_t count, float *scores, float *maximum, float *sum,
                            float *rescale) {
  enum { STRIDE = ATTN_ROW_BLOCK };
  const float cap = queries->soft_cap;
  for (int32_t v = 0; v < rows; v += LANES) {
    float *s = scores + v;
    if (cap > 0) {
      for (int32_t t = 0; t < count; t++) {
        store(s + t * STRIDE, soft_cap_vector(load(s + t * STRIDE), cap));
      }
    }
    if (!all) {
      for (int32_t r = v; r < v + LANES && r < rows; r++) {
        for (int32_t t = visible[r].head; t < visible[r].tail; t++) scores[t * STRIDE + r] = -INFINITY;
        for (int32_t t = visible[r].end; t < count; t++) scores[t * STRIDE + r] = -INFINITY;
      }
    }
    vfloat best[4];
    UNROLL for (int j = 0; j < 4; j++) best[j] = splat(-INFINITY);
    int32_t t = 0;
    for (; t + 4 <= count; t += 4) {
      UNROLL for (int j = 0; j < 4; j++) {
        best[j] = max_vector(best[j], load(s + (t + j) * STRIDE));
      }
    }
    for (; t < count; t++) best[0] = max_vector(best[0], load(s + t * STRIDE));
    const vfloat old = load(maximum + v);
    vfloat new = max_vector(max_vector(best[0], best[1]), max_vector(best[2], best[3]));
    new = select_vector(old > new, old, new);
    // Where nothing finite was seen, any finite reference keeps exp(-infinity) = 0 and NaN a NaN.
    const vfloat shift = select_vector(new == splat(-INFINITY), splat(0), new);
    const vfloat change = exp_vector(select_vector(old == new, splat(0), old - shift));
    store(maximum + v, new);
    store(rescale + v, change);
    vfloat total[4];
    UNROLL for (int j = 0; j < 4; j++) total[j] = splat(0);
    for (t = 0; t + 4 <= count; t += 4) {
      UNROLL for (int j = 0; j < 4; j++) {
        float *at = s + (t + j) * STRIDE;
        const vfloat p = exp_vector(load(at) - shift);
        store(at, p);
        total[j] = total[j] + p;
      }
    }
    for (; t < count; t++) {
      const vfloat p = exp_vector(load(s + t * STRIDE) - shift);
      store(s + t * STRIDE, p);
      total[0] = total[0] + p;
    }
    store(sum + v, load(sum + v) * change + ((total[0] + total[1]) + (total[2] + total[3])));
  }
}

// The same for `rows` (ATTN_ROW_BLOCK at most) from `first_row` of the partial, whose maxima and sums go
// on; `rescale[r]` is the factor for what row r accumulated before.
static void softmax_panel(const attn_queries *queries, int32_t first_row, int32_t rows,
                          const visible_tokens *visible, bool all, int32_t count, float *scores,
                          attn_partial *partial, float *rescale) {
  float maximum[ATTN_ROW_BLOCK] = {0}, sum[ATTN_ROW_BLOCK] = {0};
  const size_t bytes = sizeof(float) * (size_t)rows;
  memcpy(maximum, partial->maximum + first_row, bytes);
  memcpy(sum, partial->sum + first_row, bytes);
  softmax_vectors(queries, rows, visible, all, count, scores, maximum, sum, rescale);
  memcpy(partial->maximum + first_row, maximum, bytes);
  memcpy(partial->sum + first_row, sum, bytes);
}
