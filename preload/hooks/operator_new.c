/* operator_new.c - the C++ allocation operators, in all their forms ([new.delete], Itanium ABI 5.1.5 names).
 *
 * The C++ runtime's operators call malloc and free, which are interposed: those are passed on to by a tail
 * call, and this file leaves no frame and no second count. An allocator that brings operators of its own
 * (jemalloc, tcmalloc, mimalloc) does not come through malloc, so there the operators are traced here.
 * Each is resolved by its first call, in the caller's terms: a plugin may bring its own runtime.
 *
 * The real operator may throw; nothing here needs to be undone then.
 *
 * Threads: any.  Signals: as the real ones.  Heap: the real one. */
#include "real.h"

#include "../track.h"
#include "../unwind/unwind.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EXPORT    __attribute__((visibility("default")))
#define CALLER    __builtin_return_address(0)
#define NO_INLINE __attribute__((noinline))

/* One operator: the function behind it, with bit 0 of `resolved` set when it is an allocator's own. */
struct operator_ {
    const char *name;
    void (*function)(void); /* (atomic) */
    uint32_t traced;        /* stored before function */
};

/* Where no runtime can be found there is nothing that could throw. */
static void *allocate(size_t alignment, size_t size_bytes) {
    void *block = NULL;
    size_bytes = size_bytes != 0 ? size_bytes : 1;
    if (alignment <= _Alignof(max_align_t))
        return malloc(size_bytes);
    return posix_memalign(&block, alignment, size_bytes) == 0 ? block : NULL;
}

static NO_INLINE void resolve(struct operator_ *self, const void *caller) {
    void *found = real_symbol(self->name, caller);
    if (found == NULL)
        return;
    __atomic_store_n(&self->traced, real_is_allocator(found) ? 1 : 0, __ATOMIC_RELAXED);
    /* release: partner of the acquire load in READY */
    __atomic_store_n(&self->function, (void (*)(void))(uintptr_t)found, __ATOMIC_RELEASE);
}

static void *traced(void *block, size_t size_bytes, const struct caller *caller) {
    if (block != NULL)
        track_allocated_once(block, size_bytes, caller);
    return block;
}

/* True once the operator is resolved. */
#define READY(self)                                                                                          \
    (__atomic_load_n(&(self)->function, __ATOMIC_ACQUIRE) != NULL ||                                         \
     (resolve((self), CALLER), (self)->function != NULL))

/* type: the operator's C parameters; call: the arguments to pass on; alignment: for the last resort, where
 * a throwing operator can only end the program. */
#define OPERATOR_NEW(symbol, parameters, arguments, alignment, nothrow)                                      \
    EXPORT void *symbol parameters;                                                                          \
    EXPORT void *symbol parameters {                                                                         \
        static struct operator_ self = {#symbol, NULL, 0};                                                   \
        if (__builtin_expect(!READY(&self), 0)) {                                                            \
            void *block = allocate(alignment, size_bytes);                                                   \
            if (block == NULL && !(nothrow))                                                                 \
                abort();                                                                                     \
            return block;                                                                                    \
        }                                                                                                    \
        void *(*function)parameters = (void *(*)parameters)self.function;                                    \
        if (__builtin_expect(self.traced == 0, 1))                                                           \
            return function arguments;                                                                       \
        return traced(function arguments, size_bytes, CALLER_HERE);                                          \
    }

#define OPERATOR_DELETE(symbol, parameters, arguments)                                                       \
    EXPORT void symbol parameters;                                                                           \
    EXPORT void symbol parameters {                                                                          \
        static struct operator_ self = {#symbol, NULL, 0};                                                   \
        if (__builtin_expect(!READY(&self), 0)) {                                                            \
            free(block);                                                                                     \
            return;                                                                                          \
        }                                                                                                    \
        void(*function) parameters = (void(*) parameters)self.function;                                      \
        if (__builtin_expect(self.traced != 0, 0) && block != NULL)                                          \
            track_freed(block);                                                                              \
        function arguments;                                                                                  \
    }

typedef const void *nothrow_t; /* const std::nothrow_t & */

OPERATOR_NEW(_Znwm, (size_t size_bytes), (size_bytes), 0, false)
OPERATOR_NEW(_ZnwmRKSt9nothrow_t, (size_t size_bytes, nothrow_t tag), (size_bytes, tag), 0, true)
OPERATOR_NEW(_ZnwmSt11align_val_t, (size_t size_bytes, size_t alignment), (size_bytes, alignment), alignment,
             false)
OPERATOR_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size_bytes, size_t alignment, nothrow_t tag),
             (size_bytes, alignment, tag), alignment, true)
OPERATOR_NEW(_Znam, (size_t size_bytes), (size_bytes), 0, false)
OPERATOR_NEW(_ZnamRKSt9nothrow_t, (size_t size_bytes, nothrow_t tag), (size_bytes, tag), 0, true)
OPERATOR_NEW(_ZnamSt11align_val_t, (size_t size_bytes, size_t alignment), (size_bytes, alignment), alignment,
             false)
OPERATOR_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size_bytes, size_t alignment, nothrow_t tag),
             (size_bytes, alignment, tag), alignment, true)

OPERATOR_DELETE(_ZdlPv, (void *block), (block))
OPERATOR_DELETE(_ZdlPvm, (void *block, size_t size_bytes), (block, size_bytes))
OPERATOR_DELETE(_ZdlPvRKSt9nothrow_t, (void *block, nothrow_t tag), (block, tag))
OPERATOR_DELETE(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
OPERATOR_DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size_bytes, size_t alignment),
                (block, size_bytes, alignment))
OPERATOR_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, nothrow_t tag),
                (block, alignment, tag))
OPERATOR_DELETE(_ZdaPv, (void *block), (block))
OPERATOR_DELETE(_ZdaPvm, (void *block, size_t size_bytes), (block, size_bytes))
OPERATOR_DELETE(_ZdaPvRKSt9nothrow_t, (void *block, nothrow_t tag), (block, tag))
OPERATOR_DELETE(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
OPERATOR_DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size_bytes, size_t alignment),
                (block, size_bytes, alignment))
OPERATOR_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, nothrow_t tag),
                (block, alignment, tag))
