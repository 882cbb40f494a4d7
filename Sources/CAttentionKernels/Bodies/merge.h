// Partial softmax sums of the same rows into one, normalised.

static void merge(const attn_partial *partials, int32_t count, int32_t rows, int32_t value_width,
                  const float *sink_logits, float *out, int64_t out_stride) {
  for (int32_t r = 0; r < rows; r++) {
    float best = sink_logits ? sink_logits[r] : -INFINITY;
    for (int32_t p = 0; p < count; p++) {
      float m = partials[p].maximum[r];
      best = m > best ? m : best;
    }
    float *row = out + r * out_stride;
    memset(row, 0, sizeof(float) * (size_t)value_width);
    float total = sink_logits && sink_logits[r] > -INFINITY ? exp_scalar(sink_logits[r] - best) : 0;
    for (int pass = 0; pass < 2; pass++) {
      // First the denominator, then each partial's share; a row that saw nothing has sum 0.
      float inverse = pass == 0 ? 0 : total == 0 ? 0 : 1 / total;
      for (int32_t p = 0; p < count; p++) {
        const attn_partial *partial = &partials[p];
        float m = partial->maximum[r], sum = partial->sum[r];
        if (m == -INFINITY && sum == 0) continue;
        float weight = m == -INFINITY ? 1 : exp_scalar(m - best);
        if (pass == 0) {
          total += weight * sum;
          continue;
        }
        weight *= inverse;
        const float *accumulator = partial->accumulator + r * partial->accumulator_stride;
        int64_t i = 0;
        for (; i + LANES <= value_width; i += LANES) {
          store(row + i, fma_vector(splat(weight), load(accumulator + i), load(row + i)));
        }
        for (; i < value_width; i++) row[i] += weight * accumulator[i];
      }
    }
  }
}
