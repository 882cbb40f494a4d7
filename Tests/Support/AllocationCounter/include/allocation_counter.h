// Counts what chosen threads take from the heap and from the system, for tests that say "this
// allocates nothing". Linking the target replaces the C library's allocation entry points by ones
// that count and pass on; threads that did not ask are not counted.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// 1 where counting works (glibc without a sanitizer), else 0.
int allocation_counter_available(void);

// Starts and stops counting the calling thread's allocations.
void allocation_counter_watch(int watched);

// Allocations and mappings by watched threads since the process began.
int64_t allocation_counter_total(void);

#ifdef __cplusplus
}
#endif
#endif
