/* The replay queue against a flat copy: attempts from the beginning until the commit, each byte once after it. */
#include "h2/replay.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BYTES = 60000 };

static uint8_t source[BYTES];

static void fill(struct rng *r)
{
    for (size_t i = 0; i < BYTES; i++)
        source[i] = (uint8_t)rng_next(r);
}

/* Reads up to `most` bytes and compares them with the source from `at` on. Returns how many. */
static size_t read_some(struct replay *r, struct slab *pool, size_t at, size_t most)
{
    size_t done = 0;
    while (done < most && replay_left(r) > 0) {
        struct slice run = replay_next(r);
        size_t n = run.n < most - done ? run.n : most - done;
        assert_true(n > 0);
        assert_memory_equal(run.p, source + at + done, n);
        replay_advance(r, pool, n);
        done += n;
    }
    return done;
}

static void every_attempt_reads_all(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng r = {seed};
        struct slab pool;
        struct replay replay = {0};
        size_t written = 0, at = 0;
        slab_init(&pool, sizeof(struct chunk));
        fill(&r);
        for (int step = 0; step < 300; step++) {
            size_t n = rng_below(&r, 900);
            if (rng_below(&r, 2) == 0 && written + n <= BYTES) {
                assert_int_equal(replay_append(&replay, &pool, source + written, n), ERR_NONE);
                written += n;
            } else {
                at += read_some(&replay, &pool, at, rng_below(&r, 6000));
            }
            assert_int_equal(replay_left(&replay), written - at);
            if (!replay.committed && rng_below(&r, 40) == 0) {
                replay_rewind(&replay);
                at = 0;
            }
            if (rng_below(&r, 200) == 0)
                replay_commit(&replay, &pool);
            if (replay.committed)
                assert_int_equal(replay.chunks.bytes, written - at);
        }
        at += read_some(&replay, &pool, at, BYTES);
        assert_int_equal(at, written);
        replay_clear(&replay, &pool);
        assert_int_equal(pool.live, 0);
        slab_fini(&pool);
    }
}

static void nothing_to_read(void **state)
{
    struct slab pool;
    struct replay replay = {0};
    (void)state;
    slab_init(&pool, sizeof(struct chunk));
    assert_int_equal(replay_next(&replay).n, 0);
    replay_commit(&replay, &pool);
    replay_commit(&replay, &pool);
    assert_int_equal(replay_next(&replay).n, 0);
    assert_int_equal(replay_left(&replay), 0);
    replay_clear(&replay, &pool);
    slab_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_attempt_reads_all), cmocka_unit_test(nothing_to_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
