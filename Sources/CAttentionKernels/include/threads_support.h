// What the worker pool needs of the machine.
#ifndef ATTENTION_THREADS_SUPPORT_H
#define ATTENTION_THREADS_SUPPORT_H

#ifdef __cplusplus
extern "C" {
#endif

// A hint to the processor that the caller is spinning.
static inline void attn_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
}

// Processors that this process may run on (its affinity mask), at least 1.
int attn_available_processors(void);

#ifdef __cplusplus
}
#endif
#endif
