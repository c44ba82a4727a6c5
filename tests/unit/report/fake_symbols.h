/* fake_symbols.h - a symboliser for tests: linked in place of the real one, it knows what a test tells it. */
#ifndef HEAPTALLY_TESTS_FAKE_SYMBOLS_H
#define HEAPTALLY_TESTS_FAKE_SYMBOLS_H

#include "symbols/symbols.h"

/* Address `vaddr` of any module resolves to these frames, the innermost first. Borrows `frames`. */
void fake_symbols_add(uint64_t vaddr, const struct symbols_frame *frames, size_t count);

/* The call at `vaddr` calls this function; of others nothing is known. */
void fake_symbols_add_call(uint64_t vaddr, const char *callee);
void fake_symbols_forget(void);

/* What is known of all modules, from now on until it forgets: at first nothing. */
void fake_symbols_set_quality(enum symbols_quality quality);

/* How often symbols_resolve was asked. */
size_t fake_symbols_asked(void);

#endif
