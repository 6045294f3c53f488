/* draft.c - the documents that are written most, begun.
 *
 * Owns nothing.  Used by the library's doc.c.  Promises that a draft of a container or a process is
 * one that hcsd takes.
 */
#include "draft.h"

#include <stdio.h>

#include "tree.h"

static void doc_dropp(hcs_doc **doc)
{
    tree_free(*doc);
}

/* Give @doc away, or the error of what could not be set. */
static hcs_result finish(hcs_doc **doc, hcs_doc **out, hcs_error *err)
{
    hcs_result r = tree_check(*doc, FIELD_READ, err);

    if (r >= 0)
        *out = TAKE(*doc);
    return r;
}

static hcs_result begin_system(hcs_doc **out, hcs_error *err)
{
    hcs_result r = tree_new("ComputeSystem", out, err);

    if (r < 0)
        return r;
    tree_set_integer(*out, "SchemaVersion.Major", 2);
    tree_set_integer(*out, "SchemaVersion.Minor", 1);
    return HCS_OK;
}

hcs_result draft_container(const char *root_path, hcs_doc **out, hcs_error *err)
{
    _cleanup_(doc_dropp) hcs_doc *doc = NULL;
    hcs_result r = begin_system(&doc, err);

    if (r < 0)
        return r;
    tree_set_string(doc, "Container.Storage.Path", root_path);
    return finish(&doc, out, err);
}

hcs_result draft_virtual_machine(uint64_t memory_mb, uint32_t processors, hcs_doc **out,
                                 hcs_error *err)
{
    _cleanup_(doc_dropp) hcs_doc *doc = NULL;
    hcs_result r = begin_system(&doc, err);

    if (r < 0)
        return r;
    tree_set_boolean(doc, "VirtualMachine.StopOnReset", 1);
    tree_set_unsigned(doc, "VirtualMachine.ComputeTopology.Memory.SizeInMB", memory_mb);
    tree_set_unsigned(doc, "VirtualMachine.ComputeTopology.Processor.Count", processors);
    return finish(&doc, out, err);
}

hcs_result draft_process(const char *const *arguments, hcs_doc **out, hcs_error *err)
{
    _cleanup_(doc_dropp) hcs_doc *doc = NULL;
    hcs_result r = tree_new("ProcessParameters", &doc, err);

    if (r < 0)
        return r;
    tree_set_json(doc, "CommandArgs", "[]");
    for (size_t i = 0; arguments[i]; i++) {
        char path[48];

        snprintf(path, sizeof path, "CommandArgs[%zu]", i);
        tree_set_string(doc, path, arguments[i]);
    }
    tree_set_boolean(doc, "CreateStdOutPipe", 1);
    tree_set_boolean(doc, "CreateStdErrPipe", 1);
    return finish(&doc, out, err);
}
