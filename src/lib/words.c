/* words.c - the small public functions that belong to no handle.
 *
 * Owns nothing.  The functions about result codes and event kinds are in base, those about exit
 * reports in model. */
#include <stdlib.h>

#include "hcs/hcs.h"

const char *hcs_version(void)
{
    return HCS_VERSION;
}

void hcs_string_free(char *string)
{
    free(string);
}
