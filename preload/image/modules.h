/* modules.h - which ELF object a code address belongs to, for ever: also after dlclose.
 *
 * Owns:    the MODULES and STRINGS regions.
 * Holds:   a published module never changes but for unmapped_ns; two objects that lived at one address
 *          one after the other are two records, and code addresses of the second have another salt.
 * Threads: any, lock-free (two threads may record one module twice: a reader cannot tell, nor need it).
 * Signals: safe.  Heap: never.  Loader's lock: never (_dl_find_object takes none). */
#ifndef HEAPTALLY_MODULES_H
#define HEAPTALLY_MODULES_H

#include <stdbool.h>
#include <stdint.h>

/* Records every object that is loaded now. Only where the loader may be asked: the constructor. */
void modules_record_all(void);

/* The module that holds pc, recorded if it is new; 0 if none does. */
uint32_t modules_find(uintptr_t pc);

/* After a dlclose: marks what is gone, and its addresses as reused. */
void modules_sweep(void);

#endif
