/* group.h - the part of a frame that a key looks at. */
#ifndef HEAPTALLY_REPORT_GROUP_H
#define HEAPTALLY_REPORT_GROUP_H

#include "statistics.h"

/* The frame that stands for the group of frame `id` under `key` (not KEY_TRACEBACK). FRAME_NONE when out
 * of memory. */
frame_id group_of_frame(struct frames *frames, enum key key, frame_id id);

/* The name that stands for a number under a key that is one: its `offset` is the number. */
frame_id group_of_number(struct frames *frames, enum key key, uint64_t number);

/* The frame that stands for a name under KEY_SCOPE or KEY_TAG: its `function` is the name. */
frame_id group_of_name(struct frames *frames, enum key key, const char *name);

#endif
