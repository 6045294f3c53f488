/* interface_text.h - the Varlink interface file, as text in the program. */
#ifndef HCS_HCSD_INTERFACE_TEXT_H
#define HCS_HCSD_INTERFACE_TEXT_H

extern const char interface_name[];
extern const char interface_text[];

#endif
