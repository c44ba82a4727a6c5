/* door.h - renames the functions of preload/platform/sys.c: included ahead of it, so that faulty_sys.c, the
 * twin, can take their names and call them. One line for each function that the twin lets fail. */
#define sys_open            door_open
#define sys_read            door_read
#define sys_write           door_write
#define sys_write_all       door_write_all
#define sys_ftruncate       door_ftruncate
#define sys_fallocate       door_fallocate
#define sys_lstat           door_lstat
#define sys_mkdir           door_mkdir
#define sys_memfd           door_memfd
#define sys_unlink          door_unlink
#define sys_rename          door_rename
#define sys_readlink        door_readlink
#define sys_getcwd          door_getcwd
#define sys_getdents        door_getdents
#define sys_map             door_map
#define sys_map_private     door_map_private
#define sys_protect         door_protect
#define sys_advise          door_advise
#define sys_limit           door_limit
#define sys_random          door_random
#define sys_peek            door_peek
#define sys_signal_restorer door_signal_restorer
