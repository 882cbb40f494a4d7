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

// Counts the calling thread's allocations and mappings in `counter` from now on, which several
// threads may share; NULL stops counting.
void allocation_counter_watch(int64_t *counter);

#ifdef __cplusplus
}
#endif
#endif
