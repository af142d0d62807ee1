/* CHECK(condition) counts what does not hold; main ends with checked(). */
#ifndef FLOWCLASS_TESTS_CAPI_CHECK_H
#define FLOWCLASS_TESTS_CAPI_CHECK_H

#include <stdio.h>

static int failures = 0;

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            ++failures;                                                     \
        }                                                                   \
    } while (0)

static int checked(void) {
    if (failures == 0) {
        puts("all checks hold");
    }
    return failures == 0 ? 0 : 1;
}

#endif
