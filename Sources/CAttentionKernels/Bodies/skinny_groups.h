// Rows of a product packed for broadcasts of weights. The rows are cut into groups of 16, 8, 4, 2 or 1;
// a group of as many rows as a vector has lanes, or of several vectors, keeps element k of all its rows
// side by side, and one weight in every lane multiplies them all. A smaller group fills the lanes with
// `share` elements of each row, lane row * share + s holding element k + s of those in order
// (splits_pairs), and `share` weights that repeat multiply them. So every row count fills the vectors.
// Where every multiply-add of a single vector would need a load (PAIRS_ELEMENTS), a group of more than one
// row takes two vectors, with twice as many elements of each row, and there are groups of 12 and 6, three vectors
// with a quarter or a half of a vector for each row. Zen 4, which makes one multiply-add of 16 lanes a cycle, loses
// nothing by such loads: on AMD's processors nine to sixteen rows are one vector, each in a lane.

enum { GROUP_ROWS = 16, MOST_GROUPS = 6, SKINNY_STEP = 16, PANEL_WIDTH = LANES == 16 ? 128 : 64 };

typedef struct row_group {
  int32_t first, rows;  // rows of the product; fewer than `room` leave lanes of zeros
  int32_t room;         // one of ROOMS
  int64_t offset;       // of its part of the packed rows, in floats
} row_group;

// The sizes of groups.
static const int32_t ROOMS[] = {1, 2, 4, 6, 8, 12, 16};
enum { MOST_ROOMS = sizeof(ROOMS) / sizeof(ROOMS[0]) };

// Whether a group is three vectors.
INLINE bool is_threefold(const int room) { return room % 3 == 0; }

// Whether sixteen rows are a vector of single elements, and fewer fill it in part.
INLINE bool is_single_vector(const int room) { return LANES == 16 && room == GROUP_ROWS && attn_is_zen; }

// Elements of a row that lie side by side in a group.
INLINE int group_share(const int room) {
  if (is_single_vector(room)) return 1;
  if (is_threefold(room)) return 3 * LANES / room;
  const int lanes = PAIRS_ELEMENTS && room > 1 ? 2 * LANES : LANES;
  return room < lanes ? lanes / room : 1;
}

// Lanes of sums that an output takes for a group.
INLINE int group_lanes(const int room) { return room * group_share(room); }

// Elements of a row once packed: the last ones are zeros.
INLINE int64_t packed_width(int64_t width) {
  return (width + PANEL_WIDTH - 1) / PANEL_WIDTH * PANEL_WIDTH;
}

// The next larger or smaller size that this build has.
INLINE int next_room(int at, int step) {
  do at += step;
  while (!PAIRS_ELEMENTS && is_threefold(ROOMS[at]));
  return at;
}

// Cuts rows into groups, rounded up where few lanes stay empty.
INLINE int group_rows(int32_t rows, int64_t width, row_group groups[MOST_GROUPS]) {
  int count = 0;
  int64_t offset = 0;
  for (int32_t first = 0; first < rows;) {
    const int32_t left = rows - first;
    int at = 0;
    while (ROOMS[at] < left && at + 1 < MOST_ROOMS) at = next_room(at, 1);
    if (LANES == 16 && attn_is_zen && left > GROUP_ROWS / 2) at = MOST_ROOMS - 1;
    else if (ROOMS[at] > left && left != 3 && left < ROOMS[at] - ROOMS[at] / 8) at = next_room(at, -1);
    const int32_t room = ROOMS[at], taken = left < room ? left : room;
    groups[count++] = (row_group){first, taken, room, offset};
    offset += room * packed_width(width);
    first += taken;
  }
  return count;
}

static int64_t grouped_floats(int32_t rows, int64_t width) {
  row_group groups[MOST_GROUPS];
  const int count = group_rows(rows, width, groups);
  return groups[count - 1].offset + groups[count - 1].room * packed_width(width);
}

// Whether elements are held in the order in which they are cheapest to widen: of every two vectors of
// bfloat16, which lie in one as pairs, the even ones and then the odd ones. A sum over the width does not
// depend on it.
INLINE bool splits_pairs(const int element) { return LANES == 16 && element == ATTN_ELEMENT_BF16; }

// Elements that are put in order together.
INLINE int order_step(const int element) { return splits_pairs(element) ? 2 * LANES : LANES; }

// The elements of a row from k on, zeros behind the last one, in the order in which weights are held.
INLINE void load_in_order(const int element, const float *row, int64_t k, int64_t width, vfloat out[2]) {
  UNROLL for (int v = 0; v < order_step(element) / LANES; v++, k += LANES) {
    out[v] = k + LANES <= width ? load(row + k)
             : k < width ? load_element_tail(ATTN_ELEMENT_F32, (const char *)row, k, width - k)
                         : splat(0);
  }
  if (splits_pairs(element)) split_pairs(out);
}

// One group of `room` rows, `share` elements of a row side by side.
INLINE void pack_group(const int element, const float *in, int64_t in_stride, const int rows, const int room,
                       const int share, int64_t width, float *packed) {
  const int vector_rows = LANES / share;
  int64_t k = 0;
  if (share == 1 && !splits_pairs(element)) {
    for (; k + LANES <= width; k += LANES) {
      for (int r = 0; r < room; r += LANES) {
        vfloat v[LANES];
        UNROLL for (int i = 0; i < LANES; i++) {
          v[i] = r + i < rows ? load(in + (r + i) * in_stride + k) : splat(0);
        }
        transpose(v);
        UNROLL for (int i = 0; i < LANES; i++) store(packed + (k + i) * room + r, v[i]);
      }
    }
  }
  for (; k < packed_width(width); k += order_step(element)) {
    for (int r = 0; r < room; r++) {
      float *to = packed + k * room + r / vector_rows * LANES + r % vector_rows * share;
      vfloat x[2] = {splat(0), splat(0)};
      if (r < rows) load_in_order(element, in + r * in_stride, k, width, x);
      UNROLL for (int s = 0; s < order_step(element); s += share) {
        memcpy(to + s * room, (const float *)x + s, (size_t)share * 4);
      }
    }
  }
}

INLINE void pack_groups(const int element, const float *in, int64_t in_stride, int32_t rows, int64_t width,
                        float *packed) {
  row_group groups[MOST_GROUPS];
  const int count = group_rows(rows, width, groups);
  for (int g = 0; g < count; g++) {
    const float *from = in + groups[g].first * in_stride;
    float *to = packed + groups[g].offset;
    switch (groups[g].room) {
      case 1: pack_group(element, from, in_stride, groups[g].rows, 1, group_share(1), width, to); break;
      case 2: pack_group(element, from, in_stride, groups[g].rows, 2, group_share(2), width, to); break;
      case 4: pack_group(element, from, in_stride, groups[g].rows, 4, group_share(4), width, to); break;
#if LANES == 16
      case 6: pack_group(element, from, in_stride, groups[g].rows, 6, group_share(6), width, to); break;
      case 12: pack_group(element, from, in_stride, groups[g].rows, 12, group_share(12), width, to); break;
#endif
      case 8: pack_group(element, from, in_stride, groups[g].rows, 8, group_share(8), width, to); break;
      default:
        if (is_single_vector(16)) {
          pack_group(element, from, in_stride, groups[g].rows, 16, 1, width, to);
        } else {
          pack_group(element, from, in_stride, groups[g].rows, 16, PAIRS_ELEMENTS ? 2 : 1, width, to);
        }
        break;
    }
  }
}
