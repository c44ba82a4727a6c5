/* talks.h - how fixtures of heaptally.h complain: at once, and without allocating. */
#ifndef HEAPTALLY_TESTS_TALKS_H
#define HEAPTALLY_TESTS_TALKS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            dprintf(STDERR_FILENO, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                   \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

#define EXPECT_EQUAL(a, b)                                                                                   \
    do {                                                                                                     \
        long long a_ = (long long)(a), b_ = (long long)(b);                                                  \
        if (a_ != b_) {                                                                                      \
            dprintf(STDERR_FILENO, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, a_, b_);         \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

#endif
