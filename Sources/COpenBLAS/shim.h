// CBLAS and LAPACKE as OpenBLAS ships them; found through pkg-config.
#include <cblas.h>
#include <lapacke.h>
