/* What a caller sends: the first byte says in which pieces it arrives, the rest follows the preface. */
#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct end *e = end_new(true);
    if (n > 0) {
        end_feed(e, preface, sizeof preface, 0); /* with the NUL behind it: the empty SETTINGS frame */
        end_feed(e, p + 1, n - 1, p[0]);
    }
    end_free(e);
    return 0;
}
