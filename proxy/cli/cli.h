/* The commands of the command line. Each takes its own name and arguments and returns the exit code of the process. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Exit codes: done; the configuration is bad, or the proxy failed; the command line is wrong. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_inject(int argc, char **argv);
int cli_capture(int argc, char **argv);
int cli_upgrade(int argc, char **argv);
int cli_uninject(int argc, char **argv);
int cli_webhook(int argc, char **argv);
int cli_health(int argc, char **argv);
int cli_version(int argc, char **argv);

#endif
