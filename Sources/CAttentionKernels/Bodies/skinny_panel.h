// Products with packed rows. A block of outputs' weights is widened to float32 a short piece of the
// width at a time; over that panel, which lies in the first-level cache, every group of rows runs with
// a block of sums in registers. Each weight is read from memory and widened once, whatever the number
// of rows, and the next block is fetched in the order of its addresses meanwhile. With AVX-512 whole pieces
// of float32 are panels where they lie, for up to sixteen rows: a dozen outputs' weights read side by side
// are fetched by the processor itself, if it is not one of AMD's.

enum {
  PANEL_STRIDE = PANEL_WIDTH,  // floats from one output to the next
  PANEL_SUMS = VECTOR_REGISTERS == 32 ? 24 : 12,  // vectors of sums in registers
  PANEL_OUTPUTS = PANEL_SUMS,
  NARROW_OUTPUTS = 6,
  // Bytes of packed rows that are passed over at a time: half of a small second-level cache.
  PACKED_BYTES_AT_ONCE = 128 << 10,
};

// sum += a * b. In words the compiler cannot rearrange where it has been seen to move sums about and
// spill them: it prefers the form that overwrites a factor.
INLINE void accumulate(vfloat *sum, vfloat a, vfloat b) {
#if defined(__x86_64__) && HAS_FMA && LANES == 16 && !EMULATED_VECTORS
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
#elif defined(__x86_64__) && HAS_FMA && LANES == 8
  __asm__("vfmadd231ps %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(b));
#else
  *sum = fma_vector(a, b, *sum);
#endif
}

// Whether every read is to be C, for the address sanitizer to see.
#ifdef __has_feature
#define CHECKS_ADDRESSES __has_feature(address_sanitizer)
#else
#define CHECKS_ADDRESSES 0
#endif

// sum += a * the float at b.
INLINE void accumulate_at(vfloat *sum, vfloat a, const float *b) {
#if defined(__x86_64__) && LANES == 16 && !EMULATED_VECTORS && !CHECKS_ADDRESSES
  __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(*sum) : "v"(a), "m"(*b));
#else
  accumulate(sum, splat(*b), a);
#endif
}

typedef struct panel_kind {
  int element;
  bool in_place;  // whole pieces are panels where they lie
  bool by_line;   // lines are fetched between the multiply-adds
} panel_kind;

// Outputs that are multiplied side by side. Rows of weights in place often lie a multiple of 4 KiB apart, in one set
// of the first-level cache, of which Zen 4's have eight lines: some are left for the packed rows. (With two vectors
// of rows, of which memory binds, fewer outputs gained nothing.)
INLINE int panel_outputs(const panel_kind kind, const int vectors) {
  return kind.in_place && kind.by_line && vectors == 1 ? NARROW_OUTPUTS : PANEL_SUMS / vectors;
}

INLINE bool is_in_place(const int element, int32_t rows) {
  return LANES == 16 && element == ATTN_ELEMENT_F32 && rows <= GROUP_ROWS;
}

// What is made ready while the sums of one piece run: the next piece's weights, widened into the other
// panel, and the lines of the next block, fetched into the second-level cache in the order of their
// addresses. A row of the one at a time, spread evenly over the steps, and as many lines of the other, or,
// where they are fetched by line (prefetch.h), one at a time between the multiply-adds.
typedef struct skinny_feed {
  const char *weights;  // row 0 of the next piece
  int64_t row_bytes;
  float *panel;
  int32_t due, rate, steps;  // rows: `rate` in `steps`
  const char *next, *end;    // lines
  int64_t advance;           // bytes a line counts for: less than a line where groups share the fetching
  const char *segment_end;
  int64_t segment, skip;  // bytes that follow each other, and from the end of them to the next
} skinny_feed;

// order_step elements from k on in float32, in the order in which they are held (skinny_groups.h).
INLINE void widen_in_order(const int element, const char *row, int64_t k, float *to) {
  if (splits_pairs(element)) {
    const vuint pairs = *(const vuint_any *)(row + k * 2);
    store(to, (vfloat)(pairs << 16));
    store(to + LANES, (vfloat)(pairs & 0xffff0000u));
  } else {
    store(to, load_element(element, row, k));
  }
}

// PANEL_WIDTH elements.
INLINE void widen_piece(const int element, const char *row, float *to) {
  UNROLL for (int k = 0; k < PANEL_WIDTH; k += order_step(element)) widen_in_order(element, row, k, to + k);
}

INLINE void pass_fetched(skinny_feed *f, int64_t bytes) {
  f->next += bytes;
  if (f->next >= f->segment_end) {
    f->next = f->segment_end + f->skip;
    f->segment_end = f->next + f->segment;
  }
}

INLINE void fetch_line(skinny_feed *f) {
  if (f->next >= f->end) return;
  __builtin_prefetch(f->next, 0, 2);
  pass_fetched(f, f->advance);
}

INLINE void feed_step(const panel_kind kind, skinny_feed *f) {
  if (kind.in_place) return;  // and fetched by line or not at all
  const int64_t bytes = PANEL_WIDTH * block_bytes(kind.element) / ATTN_GROUP;
  f->due += f->rate;
  while (f->due >= f->steps) {
    f->due -= f->steps;
    widen_piece(kind.element, f->weights, f->panel);
    f->weights += f->row_bytes;
    f->panel += PANEL_STRIDE;
    if (kind.by_line || f->next >= f->end) continue;
    UNROLL for (int64_t i = 0; i < bytes; i += LINE_BYTES) __builtin_prefetch(f->next + i, 0, 2);
    pass_fetched(f, bytes);
  }
}

// `share` floats, repeated over the lanes.
INLINE vfloat repeat(const float *p, const int share) {
  if (share == 1) return splat(*p);
  if (share == LANES) return load(p);
#if LANES == 16
  if (share == 8) {
    typedef float eight_any __attribute__((vector_size(32), aligned(4), may_alias));
    const eight_any e = *(const eight_any *)p;
    return __builtin_shufflevector(e, e, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
  }
  if (share == 4) {
    const quad_any q = *(const quad_any *)p;
    return __builtin_shufflevector(q, q, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
  }
#endif
  vfloat v;
  if (share == 2) {
    typedef double vdouble __attribute__((vector_size(LANES * 4)));
    double pair;
    memcpy(&pair, p, 8);
    vdouble d;
    UNROLL for (int i = 0; i < LANES / 2; i++) d[i] = pair;
    return (vfloat)d;
  }
  UNROLL for (int i = 0; i < LANES; i++) v[i] = p[i % share];
  return v;
}

// Weights in float32: `stride` floats from one output to the next.
typedef struct skinny_panel {
  const float *weights;
  int64_t stride;
} skinny_panel;

// Whether a line is fetched with multiply-adds `i` of `count` of a step, for `lines` lines a step.
INLINE bool fetches_with(const int i, const int count, const int lines) {
  return i * lines / count != (i + 1) * lines / count;
}

// sums[o][v] += weights[o] . x over `width` elements, for panel_outputs from `output` on.
INLINE void panel_product(const panel_kind kind, const int VECTORS, const int share, skinny_panel panel,
                          int64_t output, const float *x, int64_t width, vfloat *sums, skinny_feed *feed) {
  const int outputs = panel_outputs(kind, VECTORS), per_step = outputs * SKINNY_STEP / share;
  // What this group would fetch if there were no others.
  const int step_bytes = PANEL_OUTPUTS * SKINNY_STEP * (int)block_bytes(kind.element) / ATTN_GROUP;
  const int lines = kind.by_line ? step_bytes * outputs / PANEL_OUTPUTS / LINE_BYTES : 0;
  const float *weights = panel.weights + output * panel.stride;
  vfloat s[PANEL_SUMS];
  UNROLL for (int i = 0; i < outputs * VECTORS; i++) s[i] = sums[i];
  // Without the feed's branches between, the compiler would load ahead over several steps, and spill sums.
  const int step = kind.in_place && !kind.by_line ? share : SKINNY_STEP;
#pragma clang loop unroll(disable)
  for (int64_t k = 0; k < width; k += step) {
    feed_step(kind, feed);
    UNROLL for (int j = 0; j < step; j += share) {
      vfloat rows[4];
      UNROLL for (int v = 0; v < VECTORS; v++) rows[v] = load(x + v * LANES);
      x += VECTORS * LANES;
      UNROLL for (int o = 0; o < outputs; o++) {
        const float *at = weights + o * panel.stride + j;
        if (VECTORS == 1 && share == 1) {
          accumulate_at(&s[o], rows[0], at);
        } else {
          const vfloat weight = repeat(at, share);
          UNROLL for (int v = 0; v < VECTORS; v++) accumulate(&s[o * VECTORS + v], weight, rows[v]);
        }
        if (fetches_with(j / share * outputs + o, per_step, lines)) fetch_line(feed);
      }
    }
    weights += step;
  }
  UNROLL for (int i = 0; i < outputs * VECTORS; i++) sums[i] = s[i];
}

// All outputs of the panel for one group.
INLINE void panel_group(const panel_kind kind, const int room, const int share, skinny_panel panel, const float *x,
                        int64_t width, vfloat *sums, skinny_feed *feed) {
  const int vectors = room * share / LANES;
  for (int o = 0; o < PANEL_OUTPUTS; o += panel_outputs(kind, vectors)) {
    panel_product(kind, vectors, share, panel, o, x, width, sums + o * vectors, feed);
  }
}

INLINE void panel_group_of(const panel_kind kind, int32_t room, skinny_panel panel, const float *x, int64_t width,
                           vfloat *sums, skinny_feed *feed) {
  switch (room) {
    case 1: panel_group(kind, 1, group_share(1), panel, x, width, sums, feed); break;
    case 2: panel_group(kind, 2, group_share(2), panel, x, width, sums, feed); break;
    case 4: panel_group(kind, 4, group_share(4), panel, x, width, sums, feed); break;
#if LANES == 16
    case 6: panel_group(kind, 6, group_share(6), panel, x, width, sums, feed); break;
    case 12: panel_group(kind, 12, group_share(12), panel, x, width, sums, feed); break;
#endif
    case 8: panel_group(kind, 8, group_share(8), panel, x, width, sums, feed); break;
    default:
      if (is_single_vector(16)) {
        panel_group(kind, 16, 1, panel, x, width, sums, feed);
      } else {
        panel_group(kind, 16, PAIRS_ELEMENTS ? 2 : 1, panel, x, width, sums, feed);
      }
      break;
  }
}

// Rows of weights in float32, zeros behind the last element.
INLINE void widen_panel(const int element, const char *weights, int64_t row_bytes, int64_t width,
                        int64_t outputs, float *panel) {
  const int64_t element_bytes = block_bytes(element) / ATTN_GROUP;
  const int step = order_step(element);
  for (int64_t o = 0; o < outputs; o++) {
    const char *row = weights + o * row_bytes;
    float *to = panel + o * PANEL_STRIDE;
    for (int64_t k = 0; k < PANEL_WIDTH; k += step) {
      if (k + step <= width) {
        widen_in_order(element, row, k, to + k);
      } else {
        char rest[2 * LANES * sizeof(float)] = {0};
        if (k < width) memcpy(rest, row + k * element_bytes, (size_t)((width - k) * element_bytes));
        widen_in_order(element, rest, 0, to + k);
      }
    }
  }
}

typedef struct skinny_target {
  const float *scales, *bias;
  float *out;
  int64_t out_stride;
} skinny_target;

// Adds the `share` lanes that belong to one output and row, of `count` vectors: half as many vectors after
// each step, so that float o * room + r is output o's sum for row r in the end.
INLINE void sum_shares(vfloat *sums, int count, int share) {
  for (; share > 1; share /= 2) {
    for (int i = 0; 2 * i < count; i++) {
      vfloat pair[2] = {sums[2 * i], sums[2 * i + 1 < count ? 2 * i + 1 : 2 * i]};
      split_pairs(pair);
      sums[i] = pair[0] + pair[1];
    }
    count = (count + 1) / 2;
  }
}

// Writes or adds the sums of a group.
INLINE void store_group(const row_group *group, vfloat *sums, int64_t output, int64_t count, bool add,
                        const skinny_target *target) {
  const int room = group->room;
  sum_shares(sums, PANEL_OUTPUTS * group_lanes(room) / LANES, group_share(room));
  for (int r = 0; r < group->rows; r++) {
    const float *s = (const float *)sums + r;
    float *to = target->out + (group->first + r) * target->out_stride + output;
    float line[PANEL_OUTPUTS];
    UNROLL for (int o = 0; o < PANEL_OUTPUTS; o++) line[o] = s[o * room];
    const float *scales = target->scales ? target->scales + output : NULL;
    const float *rest = add ? to : target->bias ? target->bias + output : NULL;
    finish_outputs(line, count, scales, rest);
    memcpy(to, line, (size_t)count * 4);
  }
}

// A piece of the walk over the weights: PANEL_OUTPUTS outputs by PANEL_WIDTH elements, fewer at the
// ends.
typedef struct skinny_piece {
  const char *weights;
  int64_t outputs, width;
} skinny_piece;

INLINE bool is_whole(const skinny_piece *piece) {
  return piece->outputs == PANEL_OUTPUTS && piece->width == PANEL_WIDTH;
}

INLINE bool is_panel_where_it_lies(const panel_kind kind, const skinny_piece *piece) {
  return kind.in_place && is_whole(piece);
}

INLINE skinny_piece piece_at(const char *weights, int64_t row_bytes, int64_t element_bytes,
                             int64_t output, int64_t last, int64_t k, int64_t end) {
  return (skinny_piece){
      .weights = weights + output * row_bytes + k * element_bytes,
      .outputs = last - output < PANEL_OUTPUTS ? last - output : PANEL_OUTPUTS,
      .width = end - k < PANEL_WIDTH ? end - k : PANEL_WIDTH,
  };
}

INLINE void packed_product_of(const panel_kind kind, const char *weights, int64_t row_bytes,
                              const float *packed, int32_t rows, int64_t width,
                              const skinny_target *target, int64_t first, int64_t last) {
  const int element = kind.element;
  row_group groups[MOST_GROUPS];
  const int group_count = group_rows(rows, width, groups);
  int lanes = 0;  // of all groups
  int sums_at[MOST_GROUPS];
  for (int g = 0; g < group_count; g++) {
    sums_at[g] = lanes * PANEL_OUTPUTS / LANES;
    lanes += group_lanes(groups[g].room);
  }
  const int64_t room = groups[group_count - 1].first + groups[group_count - 1].room;
  const int64_t at_once = PACKED_BYTES_AT_ONCE / 4 / room / PANEL_WIDTH * PANEL_WIDTH;
  const int64_t element_bytes = block_bytes(element) / ATTN_GROUP;
  float panels[2][PANEL_OUTPUTS * PANEL_STRIDE] __attribute__((aligned(64))) = {{0}};
  vfloat sums[PANEL_OUTPUTS * MOST_GROUPS * (GROUP_ROWS > 3 * LANES ? GROUP_ROWS : 3 * LANES) / LANES];
  for (int64_t begin = 0; begin < width && first < last; begin += at_once) {
    const int64_t end = begin + at_once < width ? begin + at_once : width;
    skinny_feed feed = {.row_bytes = row_bytes, .segment = (end - begin) * element_bytes,
                        .steps = lanes / LANES * (PANEL_WIDTH / SKINNY_STEP)};
    feed.skip = row_bytes - feed.segment;
    skinny_piece piece = piece_at(weights, row_bytes, element_bytes, first, last, begin, end);
    int side = 0;
    if (!is_panel_where_it_lies(kind, &piece)) {
      widen_panel(element, piece.weights, row_bytes, piece.width, piece.outputs, panels[side]);
    }
    for (int64_t output = first; output < last; output += PANEL_OUTPUTS) {
      const int64_t after = output + PANEL_OUTPUTS < last ? output + PANEL_OUTPUTS : last;
      const int64_t fetched = after + PANEL_OUTPUTS < last ? after + PANEL_OUTPUTS : last;
      feed.next = weights + after * row_bytes + begin * element_bytes;
      feed.segment_end = feed.next + feed.segment;
      feed.end = feed.next + (fetched - after) * row_bytes;
      memset(sums, 0, (size_t)(lanes * PANEL_OUTPUTS) * 4);
      const int64_t count = piece.outputs;
      for (int64_t k = begin; k < end; k += PANEL_WIDTH) {
        const bool ends = k + PANEL_WIDTH >= end;
        skinny_piece next = {0};
        if (!ends || after < last) {
          next = piece_at(weights, row_bytes, element_bytes, ends ? after : output, last,
                          ends ? begin : k + PANEL_WIDTH, end);
        }
        feed.rate = is_whole(&next) ? PANEL_OUTPUTS : 0;
        feed.due = 0;
        feed.weights = next.weights;
        feed.panel = panels[!side];
        if (!is_whole(&next)) {
          widen_panel(element, next.weights, row_bytes, next.width, next.outputs, panels[!side]);
        }
        const bool in_place = is_panel_where_it_lies(kind, &piece);
        const skinny_panel panel = {
            .weights = in_place ? (const float *)piece.weights : panels[side],
            .stride = in_place ? row_bytes / 4 : PANEL_STRIDE,
        };
        for (int g = 0; g < group_count; g++) {
          feed.advance = LINE_BYTES * group_lanes(groups[g].room) / lanes;
          panel_group_of(kind, groups[g].room, panel, packed + groups[g].offset + k * groups[g].room,
                         PANEL_WIDTH, sums + sums_at[g], &feed);
        }
        piece = next;
        side = !side;
      }
      for (int g = 0; g < group_count; g++) {
        store_group(&groups[g], sums + sums_at[g], output, count, begin > 0, target);
      }
    }
  }
}

static void skinny_product_panels(const void *weights, int32_t element, int64_t weight_stride,
                                  const float *packed, int32_t rows, int64_t width,
                                  const skinny_target *target, int64_t first, int64_t last) {
  if (is_in_place(element, rows)) {
#define PACKED_IN_PLACE(BY_LINE)                                                                              \
  packed_product_of((panel_kind){.element = ATTN_ELEMENT_F32, .in_place = true, .by_line = BY_LINE}, weights, \
                    weight_stride * 4, packed, rows, width, target, first, last)
    if (attn_is_zen) PACKED_IN_PLACE(true);
    else PACKED_IN_PLACE(false);
#undef PACKED_IN_PLACE
    return;
  }
#define PACKED_ELEMENT(ELEMENT)                                                                      \
  case ELEMENT:                                                                                      \
    packed_product_of((panel_kind){.element = ELEMENT, .by_line = FETCHES_BY_LINE}, weights,          \
                      stored_row_bytes(ELEMENT, weight_stride), packed, rows, width, target, first,  \
                      last);                                                                         \
    break;
  switch (element) {
    PACKED_ELEMENT(ATTN_ELEMENT_F32)
    PACKED_ELEMENT(ATTN_ELEMENT_F16)
    PACKED_ELEMENT(ATTN_ELEMENT_BF16)
    PACKED_ELEMENT(ATTN_ELEMENT_S8)
    default: break;
  }
#undef PACKED_ELEMENT
}
