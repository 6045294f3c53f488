/* metrics.h - the status of a service in the text format of Prometheus (exposition format 0.0.4).
 */
#ifndef HCS_CLI_METRICS_H
#define HCS_CLI_METRICS_H

#include <stdio.h>

#include <jansson.h>

/* @status is what GetStatus answers.  What is not in it has no metric: nothing is made up. */
void metrics_print(FILE *to, const json_t *status);

#endif
