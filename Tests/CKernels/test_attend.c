// The attend primitive against a float64 reference over randomised shapes: elements, addressing,
// masks, soft cap, chained and merged partials, and containment of NaN.
#include <math.h>
#include <string.h>

#include "support.h"

typedef struct stored_rows {
  float *decoded;  // what the cache means, token by token
  char *bytes;     // what it holds
} stored_rows;

typedef struct shape {
  int32_t key_width, value_width, rows;
  int32_t key_element, value_element;
  bool prefix;
  int addressing;  // 0 contiguous, 1 ring, 2 paged
  int64_t tokens, page_tokens, ring_tokens, sink_tokens;
  int mask;  // 0 none, 1 causal, 2 window, 3 window and sinks, 4 anything
  float soft_cap;
  bool sink_logits;
  int splits;   // partials that are merged
  int poison;   // 1: NaN in masked tokens and unused rows, 2: NaN in one token some rows see
} shape;

// The custom element of these tests: bytes with the token's parity as an offset.
typedef struct custom_context {
  float unit;
} custom_context;
static void custom_decode(const void *context, const void *rows, int64_t row_bytes,
                          int64_t first_token, int32_t count, int32_t width, float *out) {
  const float unit = ((const custom_context *)context)->unit;
  for (int32_t t = 0; t < count; t++) {
    const int8_t *row = (const int8_t *)rows + t * row_bytes;
    for (int32_t i = 0; i < width; i++) {
      out[(int64_t)t * width + i] =
          row[i] == -128 ? NAN : (float)row[i] * unit + (float)((first_token + t) & 1) * unit;
    }
  }
}
static const custom_context test_context = {1.0f / 64};

static int64_t stored_bytes(int32_t element, int64_t width) {
  return element == ATTN_ELEMENT_F32 ? width * 4 : element == ATTN_ELEMENT_CUSTOM ? width : width * 2;
}

static void write_element(char *at, int64_t index, int32_t element, float value, int64_t token,
                          float *decoded) {
  switch (element) {
    case ATTN_ELEMENT_F32:
      memcpy(at + index * 4, &value, 4);
      *decoded = value;
      break;
    case ATTN_ELEMENT_F16: {
      uint16_t h = reference_encode_f16(value);
      memcpy(at + index * 2, &h, 2);
      *decoded = reference_decode_f16(h);
      break;
    }
    case ATTN_ELEMENT_BF16: {
      uint16_t h = reference_encode_bf16(value);
      memcpy(at + index * 2, &h, 2);
      *decoded = reference_decode_bf16(h);
      break;
    }
    default: {
      int8_t q = isnan(value) ? -128 : (int8_t)(value * 60);
      at[index] = q;
      *decoded = isnan(value) ? NAN : (float)q / 64 + (float)(token & 1) / 64;
    }
  }
}

static void run_shape(const shape *s, uint64_t *state) {
  const int64_t n = s->tokens;
  const bool separate = !s->prefix;
  int64_t key_bytes = stored_bytes(s->key_element, s->key_width) + 4 * random_below(state, 3);
  int64_t value_bytes = stored_bytes(s->value_element, s->value_width) + 4 * random_below(state, 3);
  int64_t page_tokens = s->addressing == 2 ? s->page_tokens : 0;
  int64_t rows_held = s->addressing == 1 ? s->sink_tokens + s->ring_tokens : n > 0 ? n : 1;
  int64_t pages = page_tokens ? (n + page_tokens - 1) / page_tokens + 2 : 0;
  // Paged: a page is its key rows, then its value rows.
  int64_t page_bytes = page_tokens * (key_bytes + (separate ? value_bytes : 0));
  size_t key_size = (size_t)(page_tokens ? pages * page_bytes : rows_held * key_bytes);
  size_t value_size = (size_t)(page_tokens ? 0 : rows_held * value_bytes);
  char *keys = malloc(key_size ? key_size : 1), *values = malloc(value_size ? value_size : 1);
  memset(keys, s->poison ? 0xff : 0, key_size);
  memset(values, s->poison ? 0xff : 0, value_size);
  int32_t *table = malloc(sizeof(int32_t) * (size_t)(pages + 1));
  for (int64_t p = 0; p < pages; p++) table[p] = (int32_t)p;
  for (int64_t p = pages - 1; p > 0; p--) {
    int64_t q = random_below(state, p + 1);
    int32_t swap = table[p];
    table[p] = table[q];
    table[q] = swap;
  }
  float *k = malloc(sizeof(float) * (size_t)(n * s->key_width + 1));
  float *v = malloc(sizeof(float) * (size_t)(n * s->value_width + 1));

  // Which tokens a ring still holds.
  int64_t oldest = s->addressing == 1 && n - s->ring_tokens > s->sink_tokens ? n - s->ring_tokens : 0;
  attn_range ranges[3];
  int range_count = 0;
  if (s->addressing == 1 && oldest > 0) {
    ranges[range_count++] = (attn_range){0, s->sink_tokens};
    ranges[range_count++] = (attn_range){oldest, n};
  } else if (n > 4 && random_below(state, 3) == 0) {
    int64_t cut = 1 + random_below(state, n - 1);
    ranges[range_count++] = (attn_range){0, cut};
    ranges[range_count++] = (attn_range){cut, cut};  // empty
    ranges[range_count++] = (attn_range){cut, n};
  } else {
    ranges[range_count++] = (attn_range){0, n};
  }

  // Masks.
  int64_t *begin = calloc((size_t)s->rows, 8), *end = calloc((size_t)s->rows, 8);
  int64_t sink_visible = s->mask == 3 || s->mask == 4 ? random_below(state, 6) : 0;
  for (int32_t i = 0; i < s->rows; i++) {
    end[i] = s->mask == 4 ? random_below(state, n + 2) : n - (s->rows - 1 - i) / 2;
    begin[i] = s->mask >= 2 ? end[i] - 1 - random_below(state, n + 1) : 0;
    if (s->mask == 4 && random_below(state, 8) == 0) end[i] = 0;
  }
#define SEES(i, t) \
  (s->mask == 0 || ((t) < end[i] && ((t) >= begin[i] || (t) < sink_visible)))

  int64_t poisoned = s->poison == 2 && n > oldest ? oldest + random_below(state, n - oldest) : -1;
  for (int64_t t = 0; t < n; t++) {
    if (t >= s->sink_tokens && t < oldest) continue;
    bool seen = false;
    for (int32_t i = 0; i < s->rows; i++) seen |= SEES(i, t);
    char *key_row, *value_row;
    if (page_tokens) {
      char *page = keys + (int64_t)table[t / page_tokens] * page_bytes;
      key_row = page + t % page_tokens * key_bytes;
      value_row = page + page_tokens * key_bytes + t % page_tokens * value_bytes;
    } else {
      int64_t row = s->addressing == 1 && t >= s->sink_tokens
                        ? s->sink_tokens + (t - s->sink_tokens) % s->ring_tokens
                        : t;
      key_row = keys + row * key_bytes;
      value_row = values + row * value_bytes;
    }
    bool bad = (s->poison && !seen) || t == poisoned;
    for (int32_t i = 0; i < s->key_width; i++) {
      write_element(key_row, i, s->key_element, bad ? NAN : random_float(state), t,
                    &k[t * s->key_width + i]);
    }
    for (int32_t i = 0; i < s->value_width; i++) {
      if (s->prefix) {
        v[t * s->value_width + i] = k[t * s->key_width + i];
      } else {
        write_element(value_row, i, s->value_element, bad ? NAN : random_float(state), t,
                      &v[t * s->value_width + i]);
      }
    }
  }

  int64_t query_stride = s->key_width + random_below(state, 4);
  float *q = malloc(sizeof(float) * (size_t)(s->rows * query_stride));
  for (int64_t i = 0; i < s->rows * query_stride; i++) q[i] = random_float(state);
  const float scale = 4.0f / sqrtf((float)s->key_width);

  attn_stream stream = {
      .keys = keys,
      .values = separate ? (page_tokens ? keys + page_tokens * key_bytes : values) : NULL,
      .page_table = page_tokens ? table : NULL,
      .page_tokens = page_tokens,
      .page_bytes = page_bytes,
      .ring_tokens = s->addressing == 1 ? s->ring_tokens : 0,
      .sink_tokens = s->addressing == 1 ? s->sink_tokens : 0,
      .key_row_bytes = key_bytes,
      .value_row_bytes = separate ? value_bytes : 0,
      .key_width = s->key_width,
      .value_width = s->value_width,
      .value_is_key_prefix = s->prefix,
      .key_element = s->key_element,
      .value_element = s->prefix ? s->key_element : s->value_element,
      .key_decode = s->key_element == ATTN_ELEMENT_CUSTOM ? custom_decode : NULL,
      .value_decode = s->value_element == ATTN_ELEMENT_CUSTOM && separate ? custom_decode : NULL,
      .key_decode_context = &test_context,
      .value_decode_context = &test_context,
  };
  attn_queries queries = {.queries = q,
                          .query_stride = query_stride,
                          .rows = s->rows,
                          .scale = scale,
                          .soft_cap = s->soft_cap,
                          .row_begin = s->mask >= 2 ? begin : NULL,
                          .row_end = s->mask >= 1 ? end : NULL,
                          .sink_visible = sink_visible};

  // Partials: every piece of the ranges continues one of them, so that both chaining and merging
  // are exercised.
  int splits = s->splits;
  int64_t stride = s->value_width + random_below(state, 3);
  attn_partial *partials = calloc((size_t)splits, sizeof(attn_partial));
  size_t workspace_bytes = attn_workspace_bytes(s->rows, s->key_width, s->value_width);
  void *workspace = aligned_alloc(64, (workspace_bytes + 63) / 64 * 64);
  memset(workspace, 0xff, workspace_bytes);
  for (int p = 0; p < splits; p++) {
    partials[p].accumulator = malloc(sizeof(float) * (size_t)(s->rows * stride));
    partials[p].accumulator_stride = stride;
    for (int64_t i = 0; i < s->rows * stride; i++) partials[p].accumulator[i] = -99;
    partials[p].maximum = malloc(sizeof(float) * (size_t)s->rows);
    partials[p].sum = malloc(sizeof(float) * (size_t)s->rows);
    attn_partial_reset(&partials[p], s->rows, s->value_width);
  }
  if (splits == 1 && random_below(state, 2)) {
    attn_attend(&stream, &queries, ranges, range_count, &partials[0], workspace);
  } else {
    for (int r = 0; r < range_count; r++) {
      for (int64_t t = ranges[r].begin; t < ranges[r].end;) {
        int64_t step = 1 + random_below(state, 130);
        attn_range piece = {t, t + step < ranges[r].end ? t + step : ranges[r].end};
        attn_attend(&stream, &queries, &piece, 1, &partials[random_below(state, splits)],
                    workspace);
        t = piece.end;
      }
    }
  }
  float *logits = malloc(sizeof(float) * (size_t)s->rows);
  for (int32_t i = 0; i < s->rows; i++) logits[i] = random_float(state) * 2;
  int64_t out_stride = s->value_width + 1;
  float *out = malloc(sizeof(float) * (size_t)(s->rows * out_stride));
  for (int64_t i = 0; i < s->rows * out_stride; i++) out[i] = -55;
  attn_merge(partials, splits, s->rows, s->value_width, s->sink_logits ? logits : NULL, out,
             out_stride);

  // Reference.
  double worst = 0;
  bool contained = true, untouched = true;
  double *scores = malloc(sizeof(double) * (size_t)(n + 1));
  double *expected = malloc(sizeof(double) * (size_t)s->value_width);
  for (int32_t i = 0; i < s->rows; i++) {
    double best = s->sink_logits ? logits[i] : -INFINITY;
    bool is_nan = false;
    for (int64_t t = 0; t < n; t++) {
      scores[t] = -INFINITY;
      if ((t >= s->sink_tokens && t < oldest) || !SEES(i, t)) continue;
      double sum = 0;
      for (int32_t j = 0; j < s->key_width; j++) {
        sum += (double)q[i * query_stride + j] * k[t * s->key_width + j];
      }
      sum *= scale;
      if (s->soft_cap > 0) sum = s->soft_cap * tanh(sum / s->soft_cap);
      scores[t] = sum;
      is_nan |= t == poisoned;
      if (sum > best) best = sum;
    }
    double total = s->sink_logits ? exp(logits[i] - best) : 0;
    for (int32_t j = 0; j < s->value_width; j++) expected[j] = 0;
    for (int64_t t = 0; t < n; t++) {
      if (scores[t] == -INFINITY) continue;
      double w = exp(scores[t] - best);
      total += w;
      for (int32_t j = 0; j < s->value_width; j++) expected[j] += w * v[t * s->value_width + j];
    }
    for (int32_t j = 0; j < s->value_width; j++) {
      float got = out[i * out_stride + j];
      if (is_nan) {
        contained &= isnan(got);
      } else {
        double want = total > 0 ? expected[j] / total : 0;
        if (isnan(got)) contained = false;
        worst = fmax(worst, isnan(got) ? INFINITY : fabs(got - want));
      }
    }
    untouched &= out[i * out_stride + s->value_width] == -55;
    for (int p = 0; p < splits; p++) {
      for (int64_t j = s->value_width; j < stride; j++) {
        untouched &= partials[p].accumulator[i * stride + j] == -99;
      }
    }
  }
  CHECK(worst <= 2e-5 && contained && untouched,
        "attend %dx%d/%d el %d:%d%s addr %d (page %ld ring %ld) tokens %ld mask %d cap %g sink %d "
        "splits %d poison %d: error %g%s%s",
        s->rows, s->key_width, s->value_width, s->key_element, s->value_element,
        s->prefix ? " prefix" : "", s->addressing, (long)page_tokens, (long)s->ring_tokens, (long)n,
        s->mask, s->soft_cap, s->sink_logits, splits, s->poison, worst,
        contained ? "" : ", NaN not where it belongs", untouched ? "" : ", wrote outside");

  for (int p = 0; p < splits; p++) {
    free(partials[p].accumulator);
    free(partials[p].maximum);
    free(partials[p].sum);
  }
  free(partials), free(workspace), free(keys), free(values), free(table), free(k), free(v);
  free(begin), free(end), free(q), free(logits), free(out), free(scores), free(expected);
}

void test_attend(void) {
  static const int32_t widths[][2] = {{8, 8},     {16, 16},   {40, 40}, {64, 64},   {72, 64},
                                      {80, 80},   {96, 96},   {128, 128}, {192, 128}, {288, 256},
                                      {576, 512}, {7, 5},     {1, 1},   {33, 50},   {256, 256},
                                      {1024, 1024}};
  static const int32_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 33, 128};
  static const int32_t elements[] = {ATTN_ELEMENT_F32, ATTN_ELEMENT_F16, ATTN_ELEMENT_BF16,
                                     ATTN_ELEMENT_CUSTOM};
  static const int64_t pages[] = {1, 3, 16, 64};
  uint64_t state = 2024;
  for (int w = 0; w < 16; w++) {
    for (int r = 0; r < 13; r++) {
      int repeats = widths[w][0] > 256 || row_counts[r] > 32 ? 6 : 16;
      for (int i = 0; i < repeats; i++) {
        shape s = {.key_width = widths[w][0], .value_width = widths[w][1], .rows = row_counts[r]};
        s.prefix = s.value_width <= s.key_width && random_below(&state, 3) == 0;
        s.key_element = elements[i % 4];
        s.value_element = random_below(&state, 2) ? elements[random_below(&state, 4)] : s.key_element;
        s.addressing = (int)random_below(&state, 3);
        s.tokens = random_below(&state, 8) == 0 ? random_below(&state, 3) : 1 + random_below(&state, 260);
        s.page_tokens = pages[random_below(&state, 4)];
        s.ring_tokens = 1 + random_below(&state, 150);
        s.sink_tokens = s.addressing == 1 ? random_below(&state, 5) : 0;
        s.mask = (int)random_below(&state, 5);
        s.soft_cap = random_below(&state, 4) == 0 ? 3.0f : 0;
        s.sink_logits = random_below(&state, 3) == 0;
        s.splits = 1 + (int)random_below(&state, 3);
        s.poison = (int)random_below(&state, 3);
        run_shape(&s, &state);
      }
    }
  }
}
