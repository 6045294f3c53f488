/* calls_in_flight.c - what a program sees of its calls when the service is killed under them.
 *
 * Over the public API alone.  Prints "ready", waits for a line, begins a call of each kind, prints
 * "begun" and then how each has ended: NAME RESULT. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <hcs/hcs.h>

static const char plain[] = "{\"Owner\":\"test\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                            "\"Container\":{\"IsolationType\":"
                            "\"None\"}}";
static const char sleeper[] = "{\"CommandArgs\":[\"sleep\",\"1000\"]}";

static hcs_host *host;
static hcs_system *running, *created, *another;
static hcs_process *process;
static pthread_barrier_t begun;

static void check(const char *what, hcs_result r, const hcs_error *err)
{
    if (r == HCS_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

static void print(const char *what, hcs_result r)
{
    const char *name = hcs_result_name(r);

    printf("%s %s\n", what, r == HCS_OK ? "HCS_OK" : name ? name : "?");
}

static void *wait_for_system(void *result)
{
    hcs_exit report = HCS_EXIT_INIT;

    pthread_barrier_wait(&begun);
    *(hcs_result *) result = hcs_system_wait(running, -1, &report, NULL);
    return NULL;
}

static void *wait_for_process(void *result)
{
    hcs_exit report = HCS_EXIT_INIT;

    pthread_barrier_wait(&begun);
    *(hcs_result *) result = hcs_process_wait(process, -1, &report, NULL);
    return NULL;
}

static void wait_for_line(void)
{
    int c;

    while ((c = getchar()) != '\n' && c != EOF)
        ;
}

int main(void)
{
    static const char *const names[] = { "create", "start", "process", "shut-down" };
    static void *(*const waits[])(void *) = { wait_for_system, wait_for_process };
    static const char *const wait_names[] = { "wait", "process-wait" };
    hcs_error err = HCS_ERROR_INIT;
    hcs_op *ops[4] = { NULL };
    hcs_process *other = NULL;
    hcs_result results[2];
    pthread_t threads[2];

    setvbuf(stdout, NULL, _IOLBF, 0);
    check("open", hcs_host_open(NULL, &host, &err), &err);
    check("create", hcs_system_create(host, "running", plain, &running, NULL, &err), &err);
    check("start", hcs_system_start(running, NULL, &err), &err);
    check("create", hcs_system_create(host, "created", plain, &created, NULL, &err), &err);
    check("process", hcs_process_create(running, sleeper, NULL, &process, NULL, &err), &err);
    puts("ready");
    wait_for_line(); /* the service does not answer any more */
    check("create", hcs_system_create(host, "another", plain, &another, &ops[0], &err), &err);
    check("start", hcs_system_start(created, &ops[1], &err), &err);
    check("process", hcs_process_create(running, sleeper, NULL, &other, &ops[2], &err), &err);
    check("shut down", hcs_system_shut_down(running, &ops[3], &err), &err);
    pthread_barrier_init(&begun, NULL, 3);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, waits[i], &results[i]) != 0)
            return 1;
    pthread_barrier_wait(&begun);
    puts("begun");
    for (int i = 0; i < 4; i++) {
        print(names[i], hcs_op_wait(ops[i], -1, NULL));
        hcs_op_close(ops[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        print(wait_names[i], results[i]);
    }
    hcs_process_close(other);
    hcs_process_close(process);
    hcs_system_close(another);
    hcs_system_close(created);
    hcs_system_close(running);
    hcs_host_close(host);
    return 0;
}
