/* process.h - what a test asks of its own process, and sets in it. */
#ifndef HCS_TESTS_PLATFORM_PROCESS_H
#define HCS_TESTS_PLATFORM_PROCESS_H

#include <stdlib.h>

#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#include <tlhelp32.h>
#include <winternl.h>

/* NULL takes it away. */
static inline void process_set_variable(const char *name, const char *value_opt)
{
    _putenv_s(name, value_opt ? value_opt : "");
}

static inline unsigned process_threads(void)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry = { .dwSize = sizeof entry };
    unsigned n = 0;

    for (BOOL more = Thread32First(all, &entry); more; more = Thread32Next(all, &entry))
        n += entry.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return n;
}

/* Not by GetProcessHandleCount(): Wine's says 0. */
static inline unsigned process_handles(void)
{
    enum { SYSTEM_HANDLES = 64 };
    struct {
        ULONG_PTR n, reserved;
        struct {
            void *object;
            ULONG_PTR process, handle;
            ULONG access;
            USHORT trace, type;
            ULONG attributes, unused;
        } entries[];
    } *all = NULL;
    typedef NTSTATUS(NTAPI * query_function)(int what, void *to, ULONG size, ULONG *out_size);
    query_function query = (query_function) (void (*)(void)) GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");
    NTSTATUS status;
    ULONG size = 1 << 16;
    unsigned n = 0;

    do {
        size *= 2;
        free(all);
        all = malloc(size);
        status = all ? query(SYSTEM_HANDLES, all, size, NULL) : -1;
    } while (all && status != 0 && size < (64u << 20));
    for (ULONG_PTR i = 0; status == 0 && i < all->n; i++)
        n += all->entries[i].process == GetCurrentProcessId();
    free(all);
    return n;
}

/* For a number that falls by itself: there is nothing to wait for. */
static inline void process_pause(void)
{
    Sleep(10);
}

#else

#include <dirent.h>
#include <time.h>

static inline void process_set_variable(const char *name, const char *value_opt)
{
    if (value_opt)
        setenv(name, value_opt, 1);
    else
        unsetenv(name);
}

static inline unsigned process_entries(const char *directory)
{
    DIR *d = opendir(directory);
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static inline unsigned process_threads(void)
{
    return process_entries("/proc/self/task");
}

static inline unsigned process_handles(void)
{
    return process_entries("/proc/self/fd");
}

static inline void process_pause(void)
{
    struct timespec ms = { 0, 10000000 };

    nanosleep(&ms, NULL);
}

#endif
#endif
