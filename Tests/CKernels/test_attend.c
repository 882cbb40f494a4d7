// The shapes that attend is tested over.
#include "attend_case.h"
#include "../../Sources/CAttentionKernels/kernel_table.h"

// Rows over integers on both sides, which some builds multiply as integers: blocks of few rows, whole and
// partial panels of many, tiles with every kind of remainder, elements that differ between the sides.
static void test_integers(uint64_t *state) {
  static const int32_t widths[][2] = {{32, 32},   {64, 128},  {96, 64},    {128, 128},
                                      {320, 256}, {576, 512}, {1024, 1024}};
  static const int32_t row_counts[] = {1,  2,  3,  4,  5,  6,  7,  9,  11, 13,
                                       16, 17, 25, 31, 32, 33, 48, 65, 100, 128};
  static const int64_t tokens[] = {1,  2,  3,  5,  11, 12, 13, 23,  32,  47,
                                   64, 94, 95, 96, 97, 98, 99, 192, 193, 251};
  static const int64_t pages[] = {1, 3, 16, 64};
  for (int w = 0; w < 7; w++) {
    for (int r = 0; r < 20; r++) {
      for (int i = 0; i < 6; i++) {
        const bool is_large = widths[w][0] * row_counts[r] > 20000;
        if (is_large && i % 2 != r % 2) continue;
        shape s = {.key_width = widths[w][0], .value_width = widths[w][1], .rows = row_counts[r]};
        s.key_element = i % 2 ? ATTN_ELEMENT_INT4 : ATTN_ELEMENT_INT8;
        s.value_element = i % 4 < 2 ? s.key_element : i % 2 ? ATTN_ELEMENT_INT8 : ATTN_ELEMENT_INT4;
        s.prefix = i >= 4 && s.value_width <= s.key_width;
        s.addressing = (int)random_below(state, 3);
        s.tokens = tokens[random_below(state, 20)];
        s.page_tokens = pages[random_below(state, 4)];
        s.ring_tokens = 1 + random_below(state, 150);
        s.sink_tokens = s.addressing == 1 ? random_below(state, 5) : 0;
        s.mask = (int)random_below(state, 5);
        s.soft_cap = random_below(state, 4) == 0 ? 3.0f : 0;
        s.sink_logits = random_below(state, 3) == 0;
        s.splits = 1 + (int)random_below(state, 2);
        s.poison = (int)random_below(state, 4);
        s.uneven = (int)random_below(state, 5) % 4;
        run_shape(&s, state);
      }
    }
  }
}

// Ranges so long that some builds read their parts side by side, or in long tiles: whole parts and what is left of
// them, rows that see all of a range and rows that do not, and runs that end at pages and at a ring's end; as on
// AMD's processors, and on others.
static void test_woven(uint64_t *state) {
  static const int32_t widths[][2] = {{32, 32}, {64, 64}, {128, 128}, {96, 64}, {80, 80}, {112, 64}, {576, 512}};
  enum { ELEMENTS = 6 };
  static const int32_t elements[ELEMENTS] = {ATTN_ELEMENT_F16,  ATTN_ELEMENT_BF16, ATTN_ELEMENT_FP8,
                                             ATTN_ELEMENT_INT8, ATTN_ELEMENT_INT4, ATTN_ELEMENT_F32};
  static const int64_t tokens[] = {511, 512, 577, 1535, 1536, 1537, 1729, 3210};
  static const int64_t pages[] = {1, 3, 16, 64};
  for (int w = 0; w < 7; w++) {
    for (int32_t rows = 1; rows <= 8; rows++) {
      for (int i = 0; i < 4 * ELEMENTS; i++) {
        attn_is_zen = i >= 2 * ELEMENTS;
        shape s = {.key_width = widths[w][0], .value_width = widths[w][1], .rows = rows};
        s.prefix = s.value_width < s.key_width && random_below(state, 2) == 0;
        s.key_element = elements[i % ELEMENTS];
        s.value_element = i % (2 * ELEMENTS) < ELEMENTS ? s.key_element : elements[random_below(state, ELEMENTS)];
        s.addressing = (int)random_below(state, 3);
        s.tokens = tokens[random_below(state, 8)];
        s.page_tokens = pages[random_below(state, 4)];
        s.ring_tokens = 500 + random_below(state, 2500);
        s.sink_tokens = s.addressing == 1 ? random_below(state, 5) : 0;
        s.mask = random_below(state, 2) == 0 ? 0 : (int)random_below(state, 5);
        s.soft_cap = random_below(state, 4) == 0 ? 3.0f : 0;
        s.sink_logits = random_below(state, 3) == 0;
        s.splits = (int)random_below(state, 3);
        s.poison = (int)random_below(state, 4);
        run_shape(&s, state);
      }
    }
  }
}

// Ranges so long that their parts begin in different sets of a cache, in one piece.
static void test_long(uint64_t *state) {
  static const int32_t elements[][2] = {{ATTN_ELEMENT_F16, ATTN_ELEMENT_F16},   {ATTN_ELEMENT_INT8, ATTN_ELEMENT_INT8},
                                        {ATTN_ELEMENT_INT4, ATTN_ELEMENT_INT4}, {ATTN_ELEMENT_BF16, ATTN_ELEMENT_FP8},
                                        {ATTN_ELEMENT_F32, ATTN_ELEMENT_F32},   {ATTN_ELEMENT_INT4, ATTN_ELEMENT_F16}};
  static const int32_t widths[] = {64, 128, 80};
  for (int w = 0; w < 3; w++) {
    for (int e = 0; e < 6; e++) {
      for (int i = 0; i < 4; i++) {
        attn_is_zen = i % 2;
        shape s = {.key_width = widths[w], .value_width = widths[w], .rows = i < 2 ? 1 : 2 + (int)random_below(state, 5)};
        s.key_element = elements[e][0];
        s.value_element = elements[e][1];
        s.addressing = (int)random_below(state, 3);
        s.tokens = (i < 2 ? 4000 : 12000) + random_below(state, 1500);
        s.page_tokens = 64;
        s.ring_tokens = s.tokens - random_below(state, 100);
        run_shape(&s, state);
      }
    }
  }
}

static bool is_half_byte(int32_t element) {
  return element == ATTN_ELEMENT_INT4 || element == ATTN_ELEMENT_INT4C;
}

void test_attend(void) {
  static const int32_t widths[][2] = {{8, 8},     {16, 16},   {40, 40}, {64, 64},   {72, 64},
                                      {80, 80},   {96, 96},   {128, 128}, {192, 128}, {288, 256},
                                      {576, 512}, {7, 5},     {1, 1},   {33, 50},   {256, 256},
                                      {1024, 1024}, {104, 40}};
  static const int32_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 33, 128};
  enum { ELEMENTS = 9 };
  static const int32_t elements[ELEMENTS] = {
      ATTN_ELEMENT_F32,  ATTN_ELEMENT_F16,   ATTN_ELEMENT_BF16,  ATTN_ELEMENT_CUSTOM,
      ATTN_ELEMENT_FP8,  ATTN_ELEMENT_INT8,  ATTN_ELEMENT_INT4,  ATTN_ELEMENT_INT8C,
      ATTN_ELEMENT_INT4C};
  static const int64_t groups[] = {1, 4, 16, 64};
  static const int64_t pages[] = {1, 3, 16, 64};
  const bool is_zen = attn_is_zen;
  uint64_t state = 2024;
  for (int w = 0; w < 17; w++) {
    for (int r = 0; r < 14; r++) {
      int repeats = widths[w][0] > 256 || row_counts[r] > 32 ? 12 : 27;
      for (int i = 0; i < repeats; i++) {
        attn_is_zen = i % 2;
        shape s = {.key_width = widths[w][0], .value_width = widths[w][1], .rows = row_counts[r]};
        s.prefix = s.value_width <= s.key_width && random_below(&state, 3) == 0;
        s.key_element = elements[i % ELEMENTS];
        s.value_element =
            random_below(&state, 2) ? elements[random_below(&state, ELEMENTS)] : s.key_element;
        if (s.key_width % 2 && is_half_byte(s.key_element)) s.key_element = ATTN_ELEMENT_INT8;
        if (s.value_width % 2 && is_half_byte(s.value_element)) s.value_element = ATTN_ELEMENT_INT8;
        s.addressing = (int)random_below(&state, 3);
        s.tokens = random_below(&state, 8) == 0 ? random_below(&state, 3) : 1 + random_below(&state, 260);
        s.page_tokens = pages[random_below(&state, 4)];
        s.ring_tokens = 1 + random_below(&state, 150);
        s.sink_tokens = s.addressing == 1 ? random_below(&state, 5) : 0;
        s.mask = (int)random_below(&state, 5);
        s.soft_cap = random_below(&state, 4) == 0 ? 3.0f : 0;
        s.sink_logits = random_below(&state, 3) == 0;
        s.splits = 1 + (int)random_below(&state, 3);
        s.poison = (int)random_below(&state, 4);
        if (is_per_channel(s.key_element) || is_per_channel(s.value_element)) {
          // Pages and rings hold whole groups. NaN spreads over a channel's group, which would be
          // another statement.
          s.key_group = groups[random_below(&state, 4)];
          s.value_group = groups[random_below(&state, 4)];
          int64_t unit = s.key_group > s.value_group ? s.key_group : s.value_group;
          s.page_tokens = (s.page_tokens + unit - 1) / unit * unit;
          s.ring_tokens = (s.ring_tokens + unit - 1) / unit * unit;
          s.sink_tokens = s.sink_tokens ? unit : 0;
          s.poison = 0;
        }
        run_shape(&s, &state);
      }
    }
  }
  test_integers(&state);
  test_woven(&state);
  test_long(&state);
  attn_is_zen = is_zen;
}
