// The attend primitive against a float64 sum over rows decoded one by one: any element, addressing and mask,
// soft cap, chained and merged partials, containment of NaN, and what follows a call, which must not be read.
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "attend_case.h"

// Keys or values of one stream: where they lie, and what they mean token by token.
typedef struct side {
  int32_t element, width;
  attn_groups groups;
  int64_t row_bytes;
  char *tail;
  float *decoded;
} side;

static int64_t group_of(int64_t tokens) { return tokens > 0 ? tokens : 1; }

static side make_side(int32_t element, int32_t width, int64_t group, int64_t tokens,
                      uint64_t *state) {
  side side = {.element = element, .width = width};
  side.decoded = malloc(sizeof(float) * (size_t)(tokens * width + 1));
  side.row_bytes = written_row_bytes(element, width);
  if (!is_per_channel(element)) {
    side.row_bytes += 4 * random_below(state, 3);
    return side;
  }
  const int64_t tail_row = 2 * width + 2 * random_below(state, 3);
  side.tail = malloc((size_t)(group * tail_row));
  side.groups = (attn_groups){.tokens = group,
                              .bytes = attn_group_bytes(element, group, width),
                              .tail = side.tail,
                              .tail_begin = tokens > 0 ? (tokens - 1) / group * group : 0,
                              .tail_row_bytes = tail_row};
  return side;
}

// Bytes of `rows` rows in a block of their own.
static int64_t side_bytes(const side *side, int64_t rows) {
  const int64_t group = group_of(side->groups.tokens);
  if (side->groups.tokens == 0) return rows * side->row_bytes;
  return (rows + group - 1) / group * side->groups.bytes;
}

// Stores token `t`, which is row `row` of the block at `block`. Tokens come in order, so that the last
// one of a group finds the others staged.
static void store_token(side *side, const float *values, int64_t t, int64_t row, char *block) {
  float *decoded = side->decoded + t * side->width;
  const attn_groups *groups = &side->groups;
  if (groups->tokens == 0) {
    char *at = block + row * side->row_bytes;
    write_row(side->element, values, side->width, at);
    reference_decode_row(side->element, at, side->width, t, decoded);
    return;
  }
  char *staged = side->tail + t % groups->tokens * groups->tail_row_bytes;
  attn_encode_row(ATTN_ELEMENT_F16, values, side->width, staged);
  reference_decode_row(ATTN_ELEMENT_F16, staged, side->width, t, decoded);
  if (t >= groups->tail_begin || t % groups->tokens != groups->tokens - 1) return;
  char *group = block + row / groups->tokens * groups->bytes;
  attn_encode_group(side->element, side->tail, groups->tail_row_bytes, groups->tokens, side->width,
                    group);
  for (int64_t i = 0; i < groups->tokens; i++) {
    reference_decode_group_row(side->element, group, i, side->width,
                               decoded - (groups->tokens - 1 - i) * side->width);
  }
}

static bool is_integer(int32_t element) {
  return element == ATTN_ELEMENT_INT8 || element == ATTN_ELEMENT_INT4;
}

static bool is_whole_integer(int32_t element, int32_t width) {
  return is_integer(element) && width % ATTN_GROUP == 0;
}

// Whether the build multiplies integers of many rows: with tiles up to 32, or 16 of latent INT4, others any number.
static bool is_in_integer_panels(const shape *s) {
  const char *build = attn_isa_name();
  const bool has_tiles = strcmp(build, "amx") == 0;
  const bool has_pair_sums = has_tiles || strcmp(build, "avx512vnni") == 0;
  const int32_t most_with_tiles = s->prefix && s->key_element == ATTN_ELEMENT_INT4 ? 16 : 32;
  if (s->rows <= (has_pair_sums ? 6 : 8) || (has_tiles && s->rows > most_with_tiles)) return false;
  return (has_pair_sums || strcmp(build, "avx512") == 0) && is_whole_integer(s->key_element, s->key_width) &&
         is_whole_integer(s->prefix ? s->key_element : s->value_element, s->value_width);
}

static bool is_tiled(const shape *s) {
  return strncmp(attn_isa_name(), "amx", 3) == 0 && s->rows > 8 && !is_in_integer_panels(s);
}

// Sums are float32; beside INT8 and INT4 a build may round queries and weights to 16 bits, or, by tiles, cut
// elements to 15.
static double tolerance_of(const shape *s) {
  const int32_t value = s->prefix ? s->key_element : s->value_element;
  const int32_t most_rounded = strcmp(attn_isa_name(), "avx2") == 0 ? 12 : 6;
  if (s->rows > most_rounded && !is_in_integer_panels(s)) {
    return is_tiled(s) && (is_integer(s->key_element) || is_integer(value)) ? 4e-5 : 2e-5;
  }
  if (s->key_element == ATTN_ELEMENT_INT4 || value == ATTN_ELEMENT_INT4) return 2e-4;
  return is_integer(s->key_element) || is_integer(value) ? 1.2e-4 : 2e-5;
}

// What a thread attends next, and how often it was asked for.
typedef struct next_call {
  const attn_stream *stream;
  const attn_range *ranges;
  int32_t range_count;
  int64_t claims;
} next_call;

static const void *unreadable(void) {
  static void *region = NULL;
  if (!region) {
    region = mmap(NULL, 256 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) abort();
  }
  return region;
}

static int32_t claim_next(void *context, const attn_stream **stream, const attn_range **ranges) {
  next_call *next = context;
  next->claims++;
  *stream = next->stream;
  *ranges = next->ranges;
  return next->range_count;
}

void run_shape(const shape *s, uint64_t *state) {
  const int64_t n = s->tokens;
  const bool separate = !s->prefix;
  side key = make_side(s->key_element, s->key_width, s->key_group, n, state);
  side value = make_side(s->value_element, s->value_width, s->value_group, n, state);
  int64_t page_tokens = s->addressing == 2 ? s->page_tokens : 0;
  int64_t rows_held = s->addressing == 1 ? s->sink_tokens + s->ring_tokens : n > 0 ? n : 1;
  int64_t pages = page_tokens ? (n + page_tokens - 1) / page_tokens + 2 : 0;
  // Paged: a page's key rows and then its value rows, or all pages' keys and then all pages' values.
  const bool together = random_below(state, 2);
  int64_t page_keys = side_bytes(&key, page_tokens);
  int64_t page_values = separate ? side_bytes(&value, page_tokens) : 0;
  int64_t key_page = page_keys + (together ? page_values : 0);
  int64_t value_page = together ? key_page : page_values;
  int64_t first_values = together ? page_keys : pages * page_keys;
  size_t key_size =
      (size_t)(page_tokens ? pages * (page_keys + page_values) : side_bytes(&key, rows_held));
  size_t value_size = (size_t)(page_tokens ? 0 : side_bytes(&value, rows_held));
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
  float *k = key.decoded, *v = value.decoded;
  float *row_values = malloc(sizeof(float) * (size_t)(s->key_width + s->value_width));

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

  int64_t poisoned = s->poison >= 2 && n > oldest ? oldest + random_below(state, n - oldest) : -1;
  // The infinite element of the poisoned token: of its key's elements, then its value's.
  const int64_t infinite = random_below(state, s->key_width + (separate ? s->value_width : 0));
  const float bad_number = s->poison == 3 ? (random_below(state, 2) ? INFINITY : -INFINITY) : NAN;
  for (int64_t t = 0; t < n; t++) {
    bool seen = false;
    for (int32_t i = 0; i < s->rows; i++) seen |= SEES(i, t);
    int64_t row = t;
    char *key_block = keys, *value_block = values;
    if (page_tokens) {
      key_block = keys + (int64_t)table[t / page_tokens] * key_page;
      value_block = keys + first_values + (int64_t)table[t / page_tokens] * value_page;
      row = t % page_tokens;
    } else if (s->addressing == 1 && t >= s->sink_tokens) {
      row = s->sink_tokens + (t - s->sink_tokens) % s->ring_tokens;
    }
    const bool bad = (s->poison && !seen) || (t == poisoned && s->poison == 2);
    const int64_t at = t == poisoned && s->poison == 3 ? infinite : -1;
    static const float magnitudes[2][6] = {{1, 1, 0.5f, 0.25f, 0.2f, 1 / 7.0f}, {1, 1, 0x1p-3f, 0x1p-6f, 0x1p-14f, 0}};
    const float magnitude = s->uneven ? magnitudes[s->uneven > 1][random_below(state, 6)] : 1;
#define MAGNITUDE(i, width) (s->uneven != 2 || (i) >= (width)-ATTN_GROUP ? magnitude : 1)
    for (int32_t i = 0; i < s->key_width; i++) {
      row_values[i] = bad || i == at ? bad_number : random_float(state) * MAGNITUDE(i, s->key_width);
    }
    store_token(&key, row_values, t, row, key_block);
    if (s->prefix) continue;
    for (int32_t i = 0; i < s->value_width; i++) {
      const bool is_bad = bad || i == at - s->key_width;
      row_values[i] = is_bad ? bad_number : random_float(state) * MAGNITUDE(i, s->value_width);
    }
    store_token(&value, row_values, t, row, value_block);
  }
  for (int64_t t = 0; s->prefix && t < n; t++) {
    memcpy(v + t * s->value_width, k + t * s->key_width, sizeof(float) * (size_t)s->value_width);
  }

  int64_t query_stride = s->key_width + random_below(state, 4);
  float *q = malloc(sizeof(float) * (size_t)(s->rows * query_stride));
  for (int64_t i = 0; i < s->rows * query_stride; i++) q[i] = random_float(state);
  // A query that is no number concerns its row alone.
  const int32_t bad_query = random_below(state, 8) == 0 ? (int32_t)random_below(state, s->rows) : -1;
  if (bad_query >= 0) q[bad_query * query_stride + random_below(state, s->key_width)] = NAN;
  const float scale = 4.0f / sqrtf((float)s->key_width);

  attn_stream stream = {
      .keys = keys,
      .values = separate ? (page_tokens ? keys + first_values : values) : NULL,
      .page_table = page_tokens ? table : NULL,
      .page_tokens = page_tokens,
      .key_page_bytes = key_page,
      .value_page_bytes = value_page,
      .ring_tokens = s->addressing == 1 ? s->ring_tokens : 0,
      .sink_tokens = s->addressing == 1 ? s->sink_tokens : 0,
      .key_row_bytes = key.row_bytes,
      .value_row_bytes = separate ? value.row_bytes : 0,
      .key_width = s->key_width,
      .value_width = s->value_width,
      .value_is_key_prefix = s->prefix,
      .key_element = s->key_element,
      .value_element = s->prefix ? s->key_element : s->value_element,
      .key_groups = key.groups,
      .value_groups = separate ? value.groups : key.groups,
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
  // What follows is fetched only: such tokens of another stream, or none.
  attn_stream fetched = stream;  // but for its page table nowhere that may be read
  fetched.keys = fetched.values = unreadable();
  next_call next = {&fetched, ranges, random_below(state, 4) ? range_count : 0, 0};
  const attn_following following = {claim_next, &next};
  if (random_below(state, 2)) queries.following = &following;
  int64_t calls = 0;

  // Partials: every piece of the ranges continues one of them, so that both chaining and merging
  // are exercised.
  const int splits = s->splits > 0 ? s->splits : 1;
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
  if (s->splits == 0 || (splits == 1 && random_below(state, 2))) {
    attn_attend(&stream, &queries, ranges, range_count, &partials[0], workspace);
    calls++;
  } else {
    for (int r = 0; r < range_count; r++) {
      for (int64_t t = ranges[r].begin; t < ranges[r].end;) {
        int64_t step = 1 + random_below(state, 130);
        attn_range piece = {t, t + step < ranges[r].end ? t + step : ranges[r].end};
        attn_attend(&stream, &queries, &piece, 1, &partials[random_below(state, splits)],
                    workspace);
        calls++;
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

  CHECK(next.claims == (queries.following ? calls : 0), "what follows: asked for %lld times in %lld calls",
        (long long)next.claims, (long long)calls);

  // Reference.
  double worst = 0;
  bool contained = true, untouched = true;
  double *scores = malloc(sizeof(double) * (size_t)(n + 1));
  double *expected = malloc(sizeof(double) * (size_t)s->value_width);
  for (int32_t i = 0; i < s->rows; i++) {
    double best = s->sink_logits ? logits[i] : -INFINITY;
    bool sees_poisoned = false;
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
      sees_poisoned |= t == poisoned;
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
      const double want = total > 0 || isnan(total) ? expected[j] / total : 0;
      if ((sees_poisoned && s->poison == 2) || (i == bad_query && isnan(want))) {
        contained &= isnan(got);
      } else if (sees_poisoned && !isfinite(want)) {
        contained &= isnan(want) ? !isfinite(got) : isnan(got) || got == want;
      } else if (sees_poisoned && isnan(got) && s->poison == 3 && infinite < s->key_width) {
        // Tiles may say NaN for all of a row that sees an infinite key; all may for the key's column that
        // is a value too, whose weight can be zero.
        contained &= is_tiled(s) || (s->prefix && j == infinite);
      } else {
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
  CHECK(worst <= tolerance_of(s) && contained && untouched,
        "attend %dx%d/%d el %d:%d%s addr %d (page %ld ring %ld) tokens %ld mask %d cap %g sink %d "
        "splits %d poison %d uneven %d: error %g%s%s",
        s->rows, s->key_width, s->value_width, s->key_element, s->value_element,
        s->prefix ? " prefix" : "", s->addressing, (long)page_tokens, (long)s->ring_tokens, (long)n,
        s->mask, s->soft_cap, s->sink_logits, splits, s->poison, s->uneven, worst,
        contained ? "" : ", NaN not where it belongs", untouched ? "" : ", wrote outside");

  for (int p = 0; p < splits; p++) {
    free(partials[p].accumulator);
    free(partials[p].maximum);
    free(partials[p].sum);
  }
  free(partials), free(workspace), free(keys), free(values), free(table), free(k), free(v);
  free(key.tail), free(value.tail), free(row_values);
  free(begin), free(end), free(q), free(logits), free(out), free(scores), free(expected);
}
