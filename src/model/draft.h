/* draft.h - the documents that are written most, begun.  Promises: hcs/doc.h. */
#ifndef HCS_MODEL_DRAFT_H
#define HCS_MODEL_DRAFT_H

#include "attr.h"
#include "hcs/doc.h"

_must_use_ hcs_result draft_container(const char *root_path, hcs_doc **out, hcs_error *err);
_must_use_ hcs_result draft_virtual_machine(uint64_t memory_mb, uint32_t processors, hcs_doc **out,
                                            hcs_error *err);
_must_use_ hcs_result draft_process(const char *const *arguments, hcs_doc **out, hcs_error *err);

#endif
