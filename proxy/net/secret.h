/* Memory that may have held keys: OpenSSL's is wiped whenever it is given back, so that no copy of a private key that
 * was replaced stays behind. */
#ifndef NET_SECRET_H
#define NET_SECRET_H

#include <stddef.h>

/* From now on all memory of OpenSSL is wiped when it is freed or moved. To be called before anything else of OpenSSL;
 * later it does nothing. */
void secret_init(void);

/* Overwrites n bytes, whatever the compiler thinks of it. */
void secret_wipe(void *p, size_t n);

#endif
