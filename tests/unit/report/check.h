/* check.h - cmocka, with the headers that it wants before it. */
#ifndef HEAPTALLY_TESTS_CHECK_H
#define HEAPTALLY_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* cmocka's own compares floats. */
#define assert_near(value, expected) assert_true((value) - (expected) < 1e-6 && (expected) - (value) < 1e-6)

#endif
