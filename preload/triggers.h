/* triggers.h - what asks for a snapshot besides the end: a signal.
 * Threads: the constructor.  Signals: the handler is one.  Heap: never. */
#ifndef HEAPTALLY_TRIGGERS_H
#define HEAPTALLY_TRIGGERS_H

/* Installs the handler of options.signal where the program has left the default action. A program that
 * installs its own later has it; one that ignores the signal keeps ignoring it. */
void triggers_install_signal(void);

#endif
