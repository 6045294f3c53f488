/* host.c - the host of a process that uses the flat API.
 *
 * Owns:    one host, opened at the first need, and again when the environment names another.
 * Users:   create, open, enumerate.
 * Promise: the flat API never runs over itself; the lock is not held while the service is asked.
 */
#include "host.h"

#include <assert.h>
#include <string.h>

#include "lock.h"
#include "platform.h"

static struct shared_host *present; /* with a reference of ours */
static struct lock host_lock;

__attribute__((constructor)) static void host_begin(void)
{
    lock_init(&host_lock);
}

void host_put(struct shared_host *h)
{
    bool last;

    if (!h)
        return;
    lock_take(&host_lock);
    last = --h->references == 0;
    lock_give(&host_lock);
    if (!last)
        return;
    hcs_host_close(h->host);
    free(h->address);
    free(h);
}

/* "computecore:" means this very library; to go on would be to go round in circles. */
static HRESULT address_get(char **out, hcs_error *err)
{
    _cleanup_(free_drop) char *own = platform_environment("HCS_COMPUTECORE_HOST");
    _cleanup_(free_drop) char *general = platform_environment("HCS_HOST");
    const char *address = own ? own : general;

    if (address && strncmp(address, "computecore:", 12) == 0)
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host",
                    "%s is '%s', which means this library itself; set HCS_COMPUTECORE_HOST to the "
                    "service",
                    own ? "HCS_COMPUTECORE_HOST" : "HCS_HOST", address);
    *out = own ? TAKE(own) : TAKE(general);
    return S_OK;
}

static bool same_address(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static HRESULT host_new(char *take_address, struct shared_host **out, hcs_error *err)
{
    _cleanup_(free_drop) char *address = take_address;
    struct shared_host *h = calloc(1, sizeof *h);
    HRESULT r;

    if (!h)
        return fail(err, E_OUTOFMEMORY, "host", "no memory for a host");
    r = hcs_host_open(address, &h->host, err);
    if (r < 0) {
        free(h);
        return r;
    }
    h->address = TAKE(address);
    h->references = 2; /* the caller's, and that of `present` */
    *out = h;
    return S_OK;
}

HRESULT host_get(struct shared_host **out, hcs_error *err)
{
    _cleanup_(free_drop) char *address = NULL;
    struct shared_host *h = NULL, *before;
    HRESULT r = address_get(&address, err);

    assert(out);
    if (r < 0)
        return r;
    lock_take(&host_lock);
    if (present && same_address(present->address, address)) {
        h = present;
        h->references++;
    }
    lock_give(&host_lock);
    if (!h) {
        r = host_new(TAKE(address), &h, err);
        if (r < 0)
            return r;
        lock_take(&host_lock);
        before = present;
        present = h;
        lock_give(&host_lock);
        host_put(before);
    }
    *out = h;
    return S_OK;
}
