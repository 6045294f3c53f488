def edit(p, reps):
    s=open(p).read()
    for a,b in reps:
        assert a in s, (p,a)
        s=s.replace(a,b,1)
    open(p,'w').write(s)
edit('src/keeper/protocol.h',[
('#define KEEPER_VERSION 1u','#define KEEPER_VERSION 2u'),
('''    KEEPER_TRACKED = 17, /* after HELLO: process `number` lives as `pid`.  Later, too, when the RUN
                          * of a connection that is gone has left it behind */
    KEEPER_READY = 18,   /* after HELLO, the TRACKED and the EXITED of old */
''','''    KEEPER_TRACKED = 17, /* after HELLO: process `number` lives as `pid`; `tag` is what was asked of
                          * it (enum keeper_asked).  With `pid` 0: the RUN of a connection that is
                          * gone may still leave it behind; then it is told again, or NOTHING is */
    KEEPER_READY = 18,   /* after HELLO, the TRACKED and the EXITED of old; `value` is what was asked
                          * of all (enum keeper_asked) */
'''),
('''        20, /* process `number`, `pid`, ended with wait status `status` at the two times */
    KEEPER_EMPTY = 21 /*''','''        20, /* process `number`, `pid`, ended with wait status `status` at the two times; `tag` as in
             * TRACKED */
    KEEPER_EMPTY = 21,  /*'''),
('''                       * of a RUN is none, but while it runs it is not empty.  Told again to a new
                       * connection, after READY */
};
''','''                       * of a RUN is none, but while it runs it is not empty.  Told again to a new
                       * connection, after READY */
    KEEPER_NOTHING = 22 /* process `number`, which was TRACKED with pid 0, has come to nothing */
};

/* Signals that were passed on: a later hcsd has to know what an earlier one was asked for. */
enum keeper_asked {
    KEEPER_ASKED_TERM = 1,
    KEEPER_ASKED_KILL = 2,
    KEEPER_ALONE = 4 /* in READY: nobody is in the keeper's care */
};
'''),
])
edit('src/keeper/keeper.h',[
('''enum process_state { PROCESS_FREE, PROCESS_RESERVED, PROCESS_LIVING, PROCESS_ENDED };
''','''/* NOTHING: it was announced as perhaps to come, and does not. */
enum process_state {
    PROCESS_FREE,
    PROCESS_RESERVED,
    PROCESS_LIVING,
    PROCESS_ENDED,
    PROCESS_NOTHING
};
'''),
('''    uint8_t told;      /* its exit, to the present connection */
''','''    uint8_t told;      /* its exit, to the present connection */
    uint8_t orphaned;  /* RESERVED by a connection that is gone */
    uint8_t asked;     /* enum keeper_asked */
'''),
('''    enum care care;
    struct process processes''','''    uint8_t asked; /* of all: enum keeper_asked */
    enum care care;
    struct process processes'''),
('''void care_forget(''','''void care_asked(uint8_t *asked, int signal);
void care_forget('''),
])
edit('src/keeper/care.c',[
('''    at = put_string(put_number(put_string(at, "monotonic_ns "), p->monotonic_ns), "\\n");
''','''    at = put_string(put_number(put_string(at, "monotonic_ns "), p->monotonic_ns), "\\n");
    at = put_string(put_number(put_string(at, "asked "), p->asked), "\\n");
'''),
('''void care_forget(struct''','''void care_asked(uint8_t *asked, int signal)
{
    *asked |= signal == SIGTERM ? KEEPER_ASKED_TERM : signal == SIGKILL ? KEEPER_ASKED_KILL : 0;
}

void care_forget(struct'''),
('''    c->process->pid = pid;
    c->process->state = PROCESS_LIVING;
''','''    c->process->pid = pid;
    c->process->state = PROCESS_LIVING;
    c->process->announced = 0;
'''),
('''        if (c->process->state == PROCESS_RESERVED) {
            care_release(c->process);
            c->process = NULL;
''','''        if (c->process->state == PROCESS_RESERVED) {
            c->process->state = c->process->orphaned ? PROCESS_NOTHING : PROCESS_FREE;
            c->process = NULL;
'''),
('''    char text[192]''','''    char text[224]'''),
])
edit('src/keeper/talk.c',[
('''        if (p->state != PROCESS_RESERVED)
            p->held = 0;
''','''        if (p->state == PROCESS_NOTHING)
            care_release(p);
        p->orphaned = p->state == PROCESS_RESERVED; /* all of them: there is no other connection */
        if (p->state != PROCESS_RESERVED)
            p->held = 0;
'''),
('''static int say_plain(struct keeper *k, uint32_t type, uint8_t *due)
{
    struct keeper_header header = { .type = type };
''','''static int say_plain(struct keeper *k, uint32_t type, uint8_t *due)
{
    struct keeper_header header = { .type = type };

    if (type == KEEPER_READY)
        header.value = k->asked | (k->care == CARE_SOME ? 0 : KEEPER_ALONE);
'''),
('''        .type = KEEPER_TRACKED,
        .number = p->number,''','''        .type = KEEPER_TRACKED,
        .tag = p->asked,
        .number = p->number,'''),
('''    if (p->held)
        return 1;
    if (p->state == PROCESS_LIVING''','''    if (p->state == PROCESS_NOTHING) {
        header.type = KEEPER_NOTHING;
        if (!say(k, &header))
            return 0;
        care_release(p);
        return 1;
    }
    if (p->state == PROCESS_RESERVED && p->orphaned && !p->announced)
        return p->announced = (uint8_t) say(k, &header);
    if (p->held)
        return 1;
    if (p->state == PROCESS_LIVING'''),
('''    const struct process *p = care_find(k, m->header.number);
    int error = ESRCH;
''','''    struct process *p = care_find(k, m->header.number);
    int error = ESRCH;
'''),
('''        error = kill(p->pid, m->header.value) < 0 ? errno : 0;
    answer''','''        error = kill(p->pid, m->header.value) < 0 ? errno : 0;
    if (p && !error)
        care_asked(&p->asked, m->header.value);
    answer'''),
('''static int do_signal_all(struct keeper *k, const struct message *m)
{
''','''static int do_signal_all(struct keeper *k, const struct message *m)
{
    care_asked(&k->asked, m->header.value);
'''),
])
