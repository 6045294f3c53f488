/* flat.c - finds the functions of the flat API in a library.
 *
 * Owns nothing: a library that was loaded stays, for a callback of it may be on some thread's stack
 * whenever we could think of unloading it.
 * Users:   host.c, when a host is opened.
 * Promise: a program that uses libhcs starts where the library is missing, and is told so; on
 *          Windows the library comes from the system directory or an absolute path, never from a
 *          search path.
 */
#include "flat.h"

#include <assert.h>
#include <string.h>

#include "err.h"
#include "utf.h"

static const struct function {
    const char *name;
    size_t offset; /* of its pointer in the table */
    int needed;
} functions[] = {
#define NEED_ROW(type, name, parameters) { #name, offsetof(struct flat_api, name), 1 },
#define MAY_ROW(type, name, parameters) { #name, offsetof(struct flat_api, name), 0 },
    FLAT_FUNCTIONS(NEED_ROW, MAY_ROW) NEED_ROW(void *, LocalFree, (void *) )
#undef NEED_ROW
#undef MAY_ROW
};

hcs_result flat_fill(void *(*find)(void *library, const char *name), void *library,
                     const char *library_name, struct flat_api *out, hcs_error *err)
{
    struct flat_api api = { 0 };

    assert(find && library_name && out);
    for (size_t i = 0; i < N_ELEMENTS(functions); i++) {
        void *at = find(library, functions[i].name);

        if (!at && functions[i].needed)
            return fail(err, HCS_E_WIN32_PROC_NOT_FOUND, "computecore.load",
                        "'%s' has no function %s: it is not a Host Compute library, or too old a "
                        "one",
                        library_name, functions[i].name);
        /* The only portable way from an object's pointer to a function's is to copy its bits. */
        memcpy((char *) &api + functions[i].offset, (const void *) &at, sizeof at);
    }
    *out = api;
    return HCS_OK;
}

#ifdef _WIN32

#include <windows.h>

const char *flat_default_name(void)
{
    return "computecore.dll";
}

static void *find_in(void *library, const char *name)
{
    FARPROC at;
    void *p;

    /* The strings of HCS are freed by the system's own LocalFree. */
    if (strcmp(name, "LocalFree") == 0)
        library = GetModuleHandleW(L"kernel32.dll");
    at = GetProcAddress((HMODULE) library, name);
    memcpy(&p, &at, sizeof p);
    return p;
}

static int is_absolute(const char *path)
{
    return (path[0] && path[1] == ':' && (path[2] == '\\' || path[2] == '/')) ||
           (path[0] == '\\' && path[1] == '\\');
}

static HMODULE library_open(const char *path_opt)
{
    uint16_t wide[1024];
    size_t n;

    if (!path_opt)
        return LoadLibraryExW(L"computecore.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    n = utf16_length_of_utf8(path_opt, strlen(path_opt), NULL);
    if (n >= N_ELEMENTS(wide)) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return NULL;
    }
    utf16_from_utf8(path_opt, strlen(path_opt), wide);
    wide[n] = 0;
    return LoadLibraryExW((const WCHAR *) wide, NULL,
                          LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
}

static hcs_result library_load(const char *path_opt, const char *name, void **out, hcs_error *err)
{
    HMODULE library = library_open(path_opt), pinned;

    if (!library)
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "computecore.load",
                    "'%s' cannot be loaded (Windows error %lu): is the Hyper-V or Containers "
                    "feature installed?",
                    name, GetLastError());
    (void) GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_PIN,
                              (const WCHAR *) (const void *) library, &pinned);
    *out = library;
    return HCS_OK;
}

static void library_give(void *library)
{
    FreeLibrary((HMODULE) library);
}

#else

#include <dlfcn.h>

const char *flat_default_name(void)
{
    return "libcomputecore.so.1";
}

static void *find_in(void *library, const char *name)
{
    return dlsym(library, name);
}

static int is_absolute(const char *path)
{
    return path[0] == '/';
}

static hcs_result library_load(const char *path_opt, const char *name, void **out, hcs_error *err)
{
    void *library = dlopen(path_opt ? path_opt : name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library)
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "computecore.load",
                    "'%s' cannot be loaded: %s", name, dlerror());
    *out = library;
    return HCS_OK;
}

static void library_give(void *library)
{
    dlclose(library);
}

#endif

hcs_result flat_load(const char *path_opt, struct flat_api *out, hcs_error *err)
{
    const char *name = path_opt ? path_opt : flat_default_name();
    void *library = NULL;
    hcs_result r;

    assert(out);
    if (path_opt && !is_absolute(path_opt))
        return fail(err, HCS_E_INVALIDARG, "computecore.load",
                    "'%s' is not an absolute path; 'computecore:' alone means %s", path_opt,
                    flat_default_name());
    r = library_load(path_opt, name, &library, err);
    if (r < 0)
        return r;
    r = flat_fill(find_in, library, name, out, err);
    library_give(library); /* the count, not the code */
    return r;
}
