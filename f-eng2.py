def edit(p, reps):
    s=open(p).read()
    for a,b in reps:
        assert a in s, (p,a)
        s=s.replace(a,b,1)
    open(p,'w').write(s)
edit('src/engine/adopt.c',[
('''struct processes {
    struct driver''','''struct lefts {
    struct list all; /* struct left */
    int lacks_memory;
};

struct processes {
    struct driver'''),
('''    struct left *l = calloc(1, sizeof *l);

    if (!l)
        return;
    list_init''','''    struct lefts *lefts = context;
    struct left *l = calloc(1, sizeof *l);

    if (!l) {
        lefts->lacks_memory = 1;
        return;
    }
    list_init'''),
('''        left_drop(l);
        return;
    }
    list_append(context, &l->link);''','''        left_drop(l);
        lefts->lacks_memory = 1;
        return;
    }
    list_append(&lefts->all, &l->link);'''),
('''/* It ended with nobody there to see it, for a reason that is known: tell that. */
static void end_unseen(struct system *s, const char *why)
{
''','''/* It ended with nobody there to see it: tell why that is so. */
static void end_unseen(struct system *s)
{
    const char *why = s->unseen;
'''),
('''    if (!s->doc)
        system_clean(s);
''','''    if (s->unseen)
        end_unseen(s);
    else if (!s->doc)
        system_clean(s);
'''),
('''/* Make a system of what the log knows, and have its driver look for it. */
static hcs_result adopt(struct engine *e, const struct left *l, struct driver *driver,
                        const struct processes *processes, hcs_error *err)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    struct driver_known known = { processes->at, processes->n };
    hcs_result r = doc_system_parse(l->document, &doc, err);
    struct system *s;

    if (r < 0)
        return r;
''','''/* Enough of a document for the end of a system whose own cannot be had. */
static hcs_result stand_in_document(const char *owner, struct doc_system **out, hcs_error *err)
{
    json_t *json = json_pack("{s:s, s:{s:i, s:i}, s:{s:s}}", "Owner", owner, "SchemaVersion",
                             "Major", 2, "Minor", 1, "Container", "IsolationType", "None");
    _cleanup_(free_drop) char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text ? doc_system_parse(text, out, err)
                : fail(err, HCS_E_OUTOFMEMORY, "engine.adopt", "no memory for a document");
}

/* Make a system of what the log knows, and have its driver look for it. */
static hcs_result adopt(struct engine *e, const struct left *l, struct driver *driver,
                        const struct processes *processes, hcs_error *err)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    struct driver_known known = { processes->at, processes->n };
    const char *unseen = NULL;
    struct system *s;
    hcs_result r = HCS_OK;

    if (*l->boot_id && strcmp(l->boot_id, e->boot_id) != 0)
        unseen = "the host was restarted";
    if (doc_system_parse(l->document, &doc, err) < 0) {
        if (!unseen)
            unseen = "hcsd was replaced by one that cannot read its document";
        r = stand_in_document(l->owner, &doc, err);
    }
    if (r < 0)
        return r;
'''),
('''    system_bind(s);
    if (*l->boot_id && strcmp(l->boot_id, e->boot_id) != 0)
        end_unseen(s, "the host was restarted");
    else
        ask_driver(s, &known);
''','''    system_bind(s);
    s->unseen = unseen;
    ask_driver(s, unseen ? NULL : &known);
'''),
('''    struct list all;
    hcs_result r;

    list_init(&all);
    r = evlog_list_living(e->options.log, collect, &all, err);
    if (r >= 0)
        clean_all_left(e, &all);
    list_for_each(&all, n)''','''    struct lefts lefts = { 0 };
    hcs_result r;

    list_init(&lefts.all);
    r = evlog_list_living(e->options.log, collect, &lefts, err);
    if (r >= 0 && lefts.lacks_memory) /* what is not known would be taken for a trace to remove */
        r = fail(err, HCS_E_OUTOFMEMORY, "engine.adopt", "no memory for the systems that are left");
    if (r >= 0)
        clean_all_left(e, &lefts.all);
    list_for_each(&lefts.all, n)'''),
])
edit('src/engine/system.h',[
('''    int adopting;
''','''    int adopting;
    const char *unseen; /* why nobody saw its end, when that is known before it is looked for */
'''),
('''void processes_end_unknown(struct system *s, const char *why);
''','''void processes_end_unknown(struct system *s, const char *why);
uint32_t processes_running(struct system *s);
'''),
])
s=open('src/engine/process.c').read()
s=s.replace('static uint32_t running_processes(','uint32_t processes_running(').replace('running_processes(s)','processes_running(s)')
open('src/engine/process.c','w').write(s)
