/* pipes.c - standard handles as programs for Windows use them: overlapped, with a completion port,
 * one stream read to its end before the next.
 *
 *   pipes ID STORAGE echo BYTES    give that many bytes to a program that gives them back
 *   pipes ID STORAGE deaf          write to a program that does not read and ends: writing ends too
 *
 * Ends with the program's own exit code, 125 when something else went wrong. */
#include <windows.h>

#include <computecore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILED_STATUS 125
#define LIMIT_MS 60000
#define BLOCK 4096

static void give_up(const char *what, unsigned long code)
{
    fprintf(stderr, "%s: 0x%08lx\n", what, code);
    exit(FAILED_STATUS);
}

static void must(const char *what, HRESULT result)
{
    if (FAILED(result))
        give_up(what, (unsigned long) result);
}

static void make_sure(const char *what, int holds)
{
    if (!holds)
        give_up(what, GetLastError());
}

/* ---- a system and a program in it ---- */

struct run {
    HCS_OPERATION operation;
    HCS_SYSTEM system;
    HCS_PROCESS process;
    HCS_PROCESS_INFORMATION handles;
};

static void finish(struct run *r, const char *what, HRESULT started)
{
    PWSTR document = NULL;

    must(what, started);
    must(what, HcsWaitForOperationResult(r->operation, LIMIT_MS, &document));
    CoTaskMemFree(document); /* some programs free it like this, others with LocalFree() */
}

static void begin(struct run *r, const char *id, const char *storage, const char *command,
                  const char *pipes)
{
    WCHAR wide_id[128], document[1024];

    *r = (struct run){ .operation = HcsCreateOperation(NULL, NULL) };
    swprintf(wide_id, 128, L"%hs", id);
    swprintf(document, 1024,
             L"{\"Owner\":\"pipes\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
             L"\"Container\":{\"Storage\":{\"Path\":\"%hs\"}}}",
             storage);
    finish(r, "create", HcsCreateComputeSystem(wide_id, document, r->operation, NULL, &r->system));
    finish(r, "start", HcsStartComputeSystem(r->system, r->operation, NULL));
    swprintf(document, 1024, L"{\"CommandArgs\":[\"sh\",\"-c\",\"%hs\"]%hs}", command, pipes);
    must("create process", HcsCreateProcess(r->system, document, r->operation, NULL, &r->process));
    must("create process",
         HcsWaitForOperationResultAndProcessInfo(r->operation, LIMIT_MS, &r->handles, NULL));
}

static int end(struct run *r)
{
    const WCHAR *code;
    PWSTR status = NULL;
    int value;

    must("wait", HcsWaitForProcessExit(r->process, LIMIT_MS, &status));
    code = status ? wcsstr(status, L"\"ExitCode\":") : NULL;
    value = code ? _wtoi(code + 11) : FAILED_STATUS;
    LocalFree(status);
    HcsCloseProcess(r->process);
    finish(r, "terminate", HcsTerminateComputeSystem(r->system, r->operation, NULL));
    HcsCloseComputeSystem(r->system);
    HcsCloseOperation(r->operation);
    return value;
}

/* ---- bytes ---- */

static unsigned char byte_at(size_t i)
{
    return (unsigned char) (i * 31 + i / 253);
}

/* Until the program has them all, or does not want them: how many it took. */
static size_t write_all(HANDLE handle, size_t n)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    unsigned char block[BLOCK];
    size_t at = 0;

    while (at < n) {
        OVERLAPPED o = { .hEvent = event };
        DWORD wanted = n - at < BLOCK ? (DWORD) (n - at) : BLOCK, written = 0;

        for (DWORD i = 0; i < wanted; i++)
            block[i] = byte_at(at + i);
        if (!WriteFile(handle, block, wanted, NULL, &o) && GetLastError() != ERROR_IO_PENDING)
            break;
        if (!GetOverlappedResult(handle, &o, &written, TRUE))
            break;
        at += written;
    }
    CloseHandle(event);
    return at;
}

struct writing {
    HANDLE handle;
    size_t n;
};

static DWORD WINAPI writer(void *context)
{
    struct writing *w = context;
    int all = write_all(w->handle, w->n) == w->n;

    CloseHandle(w->handle);
    return !all;
}

/* The next bytes through a completion port; 0 at the end. */
static DWORD read_some(HANDLE handle, HANDLE port, void *to, DWORD room)
{
    OVERLAPPED o = { 0 }, *done = NULL;
    ULONG_PTR key = 0;
    DWORD n = 0;

    if (!ReadFile(handle, to, room, NULL, &o) && GetLastError() != ERROR_IO_PENDING) {
        make_sure("read", GetLastError() == ERROR_BROKEN_PIPE);
        return 0;
    }
    if (GetQueuedCompletionStatus(port, &n, &key, &done, LIMIT_MS))
        return n;
    make_sure("completion", done && GetLastError() == ERROR_BROKEN_PIPE);
    return 0;
}

static size_t read_all(HANDLE handle, char *first, size_t n_first, int checked)
{
    HANDLE port = CreateIoCompletionPort(handle, NULL, 0, 1);
    unsigned char block[BLOCK];
    size_t at = 0;
    DWORD n;

    make_sure("completion port", port != NULL);
    while ((n = read_some(handle, port, block, BLOCK)) > 0) {
        for (DWORD i = 0; i < n; i++, at++) {
            make_sure("byte", !checked || block[i] == byte_at(at));
            if (at < n_first)
                first[at] = (char) block[i];
        }
    }
    CloseHandle(port);
    CloseHandle(handle);
    return at;
}

/* ---- the two ways ---- */

static int echo(const char *id, const char *storage, size_t n)
{
    struct writing w = { .n = n };
    char text[16] = "";
    struct run r;
    HANDLE thread;
    size_t got;
    DWORD bad = 1;

    begin(&r, id, storage, "cat; echo done >&2; exit 5",
          ",\"CreateStdInPipe\":true,\"CreateStdOutPipe\":true,\"CreateStdErrPipe\":true");
    make_sure("handles", r.handles.StdInput && r.handles.StdOutput && r.handles.StdError);
    w.handle = r.handles.StdInput;
    thread = CreateThread(NULL, 0, writer, &w, 0, NULL);
    got = read_all(r.handles.StdOutput, NULL, 0, 1);
    read_all(r.handles.StdError, text, sizeof text - 1, 0);
    WaitForSingleObject(thread, LIMIT_MS);
    GetExitCodeThread(thread, &bad);
    CloseHandle(thread);
    printf("%lu bytes, %s", (unsigned long) got, text);
    make_sure("writer", bad == 0);
    return end(&r);
}

static int deaf(const char *id, const char *storage)
{
    struct run r;

    begin(&r, id, storage, "exec <&-; exit 6", ",\"CreateStdInPipe\":true");
    make_sure("absent handles", !r.handles.StdOutput && !r.handles.StdError);
    make_sure("writing ends", write_all(r.handles.StdInput, (size_t) -1 / 2) < ((size_t) 1 << 30));
    CloseHandle(r.handles.StdInput);
    puts("deaf");
    return end(&r);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[3], "echo") == 0)
        return echo(argv[1], argv[2], strtoul(argv[4], NULL, 10));
    if (argc == 4 && strcmp(argv[3], "deaf") == 0)
        return deaf(argv[1], argv[2]);
    fprintf(stderr, "usage: pipes ID STORAGE echo BYTES | deaf\n");
    return FAILED_STATUS;
}
