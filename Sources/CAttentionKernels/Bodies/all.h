// Everything one build compiles. The including file sets
//   LANES                floats a vector
//   HAS_FMA              whether a fused multiply-add is one instruction
//   HAS_HALF_CONVERSION  whether f16 <-> f32 is
//   VECTOR_REGISTERS     16 or 32: how large a block of accumulators may be
//   NATIVE_MAX           optional, a vector maximum that is one instruction
//   NATIVE_MULTIPLY_PAIRS  optional, products of pairs of 16-bit integers, added, in one instruction
//   NATIVE_ADD_PAIRS     optional, the same and the sum of it in one; then NATIVE_ADD_PAIR_AT too
//   NATIVE_ADD_BYTES     optional, with 16 lanes: products of four unsigned bytes with signed ones, added to a
//                        sum, in one instruction
//   NATIVE_PAIR_BYTES    optional, with 16 lanes: bytes of two rows side by side as 16-bit integers
//   NATIVE_SPREAD        optional, small elements spread over lanes by a byte shuffle: NATIVE_SPREAD_16,
//                        NATIVE_SPREAD_8 and NATIVE_SPREAD_8_TO_16
//   NATIVE_LOOKUP        optional, a lookup in a table of 16 floats that is one instruction
//   HAS_TILES            optional, matrix tiles of bfloat16
//   EMULATED_VECTORS     optional, for tests: vectors are made of narrower ones
//   TABLE, TABLE_NAME    the exported table
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../kernel_table.h"

#include "vector.h"
#include "elements.h"
#include "exponential.h"
#include "addressing.h"
#include "channels.h"
#include "widen.h"
#include "prefetch.h"
#include "row_reading.h"
#include "dot_block.h"
#include "product_block.h"
#include "integers.h"
#include "integer_quads.h"
#include "integer_scores.h"
#include "integer_weights.h"
#include "integer_values.h"
#include "softmax_tile.h"
#include "panel_feed.h"
#include "panel_products.h"
#include "panel_softmax.h"
#include "attend_panels.h"
#include "attend_pieces.h"
#if INTEGER_PANELS
#include "integer_panel_scores.h"
#include "integer_panel_weights.h"
#include "integer_panel_values.h"
#include "attend_integer_panels.h"
#endif
#if HAS_TILES
#include "tiles.h"
#include "tile_split.h"
#include "tile_operands.h"
#include "tile_products.h"
#include "attend_tiles.h"
#endif
#include "attend.h"
#include "merge.h"
#include "convert.h"
#include "quantise.h"
#include "skinny.h"
#include "skinny_groups.h"
#include "skinny_panel.h"
#if HAS_TILES
#include "skinny_tiles.h"
#endif
#include "skinny_packed.h"
#include "probes.h"

const attn_kernel_table TABLE = {
    .name = TABLE_NAME,
    .attend = attend,
    .merge = merge,
    .encode_f16 = encode_f16,
    .decode_f16 = decode_f16,
    .encode_bf16 = encode_bf16,
    .decode_bf16 = decode_bf16,
    .encode_row = encode_row,
    .decode_row = decode_row,
    .largest_magnitude = largest_magnitude,
    .encode_s8 = encode_s8,
    .decode_s8 = decode_s8,
    .encode_group = encode_group,
    .decode_group_row = decode_group_row,
    .skinny_product = skinny_product,
    .skinny_least_packed_rows = skinny_least_packed_rows,
    .skinny_packed_floats = skinny_packed_floats,
    .skinny_pack = skinny_pack,
    .skinny_product_packed = skinny_product_packed,
    .probe_read = probe_read,
    .probe_fma = probe_fma,
    .probe_issue = probe_issue,
};
