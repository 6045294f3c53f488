/* fuzz.h - what every fuzz target defines. */
#ifndef HCS_TESTS_FUZZ_H
#define HCS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
