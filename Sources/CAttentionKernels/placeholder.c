#include "attention_kernels.h"
