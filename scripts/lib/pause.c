/* Holds the namespaces of a pod until it is told to end. Stands in for the pause image of a registry. */
#include <signal.h>
#include <unistd.h>

static void end(int signal)
{
    (void)signal;
    _exit(0);
}

int main(void)
{
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGCHLD, SIG_IGN); /* children of a shared process namespace leave no zombies */
    for (;;)
        pause();
}
