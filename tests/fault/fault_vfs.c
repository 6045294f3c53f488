/* fault_vfs.c - see fault_vfs.h. */

#include "fault_vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

struct fault fault;

struct fault_file {
    sqlite3_file base;
    int is_wal;
    sqlite3_file *real; /* behind this one */
};

static sqlite3_vfs vfs;

static sqlite3_vfs *real_vfs(void)
{
    return vfs.pAppData;
}

static struct fault_file *self(sqlite3_file *file)
{
    return (struct fault_file *) (void *) file;
}

static sqlite3_file *real(sqlite3_file *file)
{
    return self(file)->real;
}

void fault_set(struct fault f)
{
    fault = f;
}

enum operation { WRITE, SYNC, READ };

static int is_due(int is_wal, enum operation operation)
{
    if (fault.reads_only != (operation == READ) || (fault.syncs_only && operation != SYNC))
        return 0;
    if ((fault.wal_only && !is_wal) || (fault.db_only && is_wal))
        return 0;
    fault.n++;
    return fault.what != FAULT_NONE && fault.n >= fault.at &&
           (fault.times < 0 || fault.n < fault.at + fault.times || fault.what != FAULT_ERROR);
}

/* What an operation that is due comes to, but for torn writes. */
static int come_to(void)
{
    if (fault.what != FAULT_ERROR)
        kill(getpid(), SIGKILL);
    return fault.error;
}

static int do_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    if (self(file)->is_wal) {
        fault.n_wal_writes++;
        fault.wal_unsynced++;
    }
    if (is_due(self(file)->is_wal, WRITE)) {
        if (fault.what == FAULT_KILL_TORN && n > 1)
            (void) real(file)->pMethods->xWrite(real(file), bytes, n / 2, offset);
        return come_to();
    }
    return real(file)->pMethods->xWrite(real(file), bytes, n, offset);
}

static int do_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return is_due(self(file)->is_wal, WRITE) ? come_to()
                                             : real(file)->pMethods->xTruncate(real(file), size);
}

static int do_sync(sqlite3_file *file, int flags)
{
    int r;

    if (is_due(self(file)->is_wal, SYNC))
        return come_to();
    r = real(file)->pMethods->xSync(real(file), flags);
    if (r == SQLITE_OK && self(file)->is_wal) {
        fault.n_wal_syncs++;
        fault.wal_unsynced = 0;
    }
    return r;
}

static int do_close(sqlite3_file *file)
{
    return real(file)->pMethods ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK;
}

static int do_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 offset)
{
    return is_due(self(file)->is_wal, READ)
               ? come_to()
               : real(file)->pMethods->xRead(real(file), bytes, n, offset);
}

static int do_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return real(file)->pMethods->xFileSize(real(file), out);
}

static int do_lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}

static int do_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int do_check_lock(sqlite3_file *file, int *out)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int do_control(sqlite3_file *file, int what, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), what, argument);
}

static int do_sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int do_characteristics(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

/* Version 1: there is no shared memory for the WAL's index, and the log must not want any. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = do_close,
    .xRead = do_read,
    .xWrite = do_write,
    .xTruncate = do_truncate,
    .xSync = do_sync,
    .xFileSize = do_size,
    .xLock = do_lock,
    .xUnlock = do_unlock,
    .xCheckReservedLock = do_check_lock,
    .xFileControl = do_control,
    .xSectorSize = do_sector_size,
    .xDeviceCharacteristics = do_characteristics,
};

static int do_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct fault_file *f = self(file);

    (void) v;
    memset(f, 0, sizeof *f);
    f->real = (sqlite3_file *) (void *) (f + 1);
    f->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    f->base.pMethods = &methods;
    return real_vfs()->xOpen(real_vfs(), name, f->real, flags, out_flags);
}

static int do_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
    size_t n = strlen(name);

    (void) v;
    if (is_due(n > 4 && strcmp(name + n - 4, "-wal") == 0, WRITE))
        return come_to();
    return real_vfs()->xDelete(real_vfs(), name, sync_dir);
}

static int do_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    (void) v;
    return real_vfs()->xAccess(real_vfs(), name, flags, out);
}

static int do_full_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
    (void) v;
    return real_vfs()->xFullPathname(real_vfs(), name, n, out);
}

static int do_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void) v;
    return real_vfs()->xGetLastError ? real_vfs()->xGetLastError(real_vfs(), n, out) : 0;
}

void fault_vfs_install(void)
{
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);

    vfs = *below;
    vfs.zName = "fault";
    vfs.pAppData = below;
    vfs.pNext = NULL;
    vfs.szOsFile = (int) sizeof(struct fault_file) + below->szOsFile;
    vfs.xOpen = do_open;
    vfs.xDelete = do_delete;
    vfs.xAccess = do_access;
    vfs.xFullPathname = do_full_path;
    vfs.xGetLastError = do_last_error;
    sqlite3_vfs_register(&vfs, 1);
}
