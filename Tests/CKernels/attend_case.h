// One shape of the attend primitive, and its check against a float64 reference.
#ifndef ATTEND_CASE_H
#define ATTEND_CASE_H

#include "stored_rows.h"

typedef struct shape {
  int32_t key_width, value_width, rows;
  int32_t key_element, value_element;
  int64_t key_group, value_group;  // tokens a group, of elements quantised per channel
  bool prefix;
  int addressing;  // 0 contiguous, 1 ring, 2 paged
  int64_t tokens, page_tokens, ring_tokens, sink_tokens;
  int mask;  // 0 none, 1 causal, 2 window, 3 window and sinks, 4 anything
  float soft_cap;
  bool sink_logits;
  int splits;  // partial results, whose pieces are merged; 0: the whole in one call
  int poison;   // 1: NaN in masked tokens and unused rows, 2: NaN also in one token some rows see,
                // 3: infinity in masked tokens and in one element of one token
  int uneven;   // magnitudes of tokens: 1: from 1/7 to 1, 2: from 0 to 1 in the last 32 elements of a row,
                // 3: in all of them
} shape;

// Attends random rows of the shape, in pieces and at once, and checks the result.
void run_shape(const shape *s, uint64_t *state);

#endif
