/* refusal.c - why a program could not be started.
 *
 * Owns nothing.  Used by the drivers, for both of which the same keeper program has tried.
 * Promises that what a client can mend (program, permission, directory) has a code of its own. */
#include "refusal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include "protocol.h"

static hcs_result no_directory(int os, const char *directory, const char *where, hcs_error *err)
{
    if (os == ENOENT)
        return fail(err, HCS_E_WIN32_PATH_NOT_FOUND, where,
                    "working directory '%.300s' does not exist", directory);
    if (os == ENOTDIR)
        return fail(err, HCS_E_WIN32_PATH_NOT_FOUND, where,
                    "working directory '%.300s' is not a directory", directory);
    if (os == EACCES)
        return fail(err, HCS_E_WIN32_ACCESS_DENIED, where,
                    "working directory '%.300s' is not accessible", directory);
    return fail_os(err, result_from_errno(os), os, where, "working directory '%.300s'", directory);
}

static hcs_result no_program(const char *program, const char *where, hcs_error *err)
{
    if (strchr(program, '/'))
        return fail(err, HCS_E_WIN32_FILE_NOT_FOUND, where, "program '%.300s' does not exist",
                    program);
    return fail(err, HCS_E_WIN32_FILE_NOT_FOUND, where, "program '%.300s' is not in the PATH",
                program);
}

hcs_result refusal_of_start(int step, int os, const char *program, const char *directory,
                            const char *where, hcs_error *err)
{
    assert(program && directory && where);

    if (step == KEEPER_STEP_DIRECTORY)
        return no_directory(os, directory, where, err);
    if (step == KEEPER_STEP_EXEC && (os == ENOENT || os == ENOTDIR))
        return no_program(program, where, err);
    if (step == KEEPER_STEP_EXEC && os == ELIBACC)
        return fail(err, HCS_E_WIN32_FILE_NOT_FOUND, where,
                    "program '%.300s' needs an interpreter that does not exist (its #! line or its "
                    "loader names it)",
                    program);
    if (step == KEEPER_STEP_EXEC && (os == EACCES || os == EPERM))
        return fail(err, HCS_E_WIN32_ACCESS_DENIED, where,
                    "program '%.300s' is not an executable file", program);
    return fail_os(err, result_from_errno(os), os, where, "program '%.300s'", program);
}
