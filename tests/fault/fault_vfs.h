/* fault_vfs.h - the real file system under SQLite, with faults that it gives on demand.
 *
 * It stands between SQLite and the VFS of the system, as the default one, and counts what changes
 * files: writes, truncations, syncs, removals.  At a number one of them goes wrong, or the process
 * ends there by SIGKILL, in the middle of the write when that is asked for. */
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H

enum fault_what { FAULT_NONE, FAULT_KILL, FAULT_KILL_TORN, FAULT_ERROR };

struct fault {
    enum fault_what what;
    long at;      /* number of the operation, from 1 */
    long times;   /* FAULT_ERROR: so many from there on; -1: all */
    int error;    /* FAULT_ERROR: what SQLite is told */
    int wal_only; /* only operations on the WAL count */
    int db_only;  /* only those on the database */
    int syncs_only;
    int reads_only; /* otherwise reads do not count */

    /* the counts, since the fault was set */
    long n;
    long n_wal_writes;
    long n_wal_syncs;
    long wal_unsynced; /* writes to the WAL since it was synced */
};

extern struct fault fault;

void fault_vfs_install(void);
void fault_set(struct fault f);

#endif
