#ifndef ATTN_SELF_CHECK_H
#define ATTN_SELF_CHECK_H

#include <stdbool.h>

#include "kernel_table.h"

// Whether a build gives what the baseline gives, to rounding.
bool attn_agrees_with_baseline(const attn_kernel_table *build);

#endif
