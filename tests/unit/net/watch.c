/* Watching files: plain writes, atomic renames, links, the `..data` swap of Kubernetes, files and folders that appear.
 */
#include "net/watch.h"

#include "folder.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG_S = 60 };

static struct loop *loop;
static struct watch *watch;
static int changes;
static char folder[FOLDER_MAX];

static const char *at(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *p = paths[next++ % 8];
    (void)snprintf(p, PATH_MAX, "%s/%s", folder, name);
    return p;
}

static void on_change(void *ctx)
{
    (void)ctx;
    changes++;
    loop_stop(loop);
}

static int setup(void **state)
{
    (void)state;
    folder_make(folder);
    changes = 0;
    loop = loop_new();
    watch = watch_new(loop, on_change, NULL);
    return loop && watch ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    watch_free(watch);
    loop_free(loop);
    return folder_remove(folder);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(at(name), 0700), 0);
}

static void link_to(const char *target, const char *name)
{
    assert_int_equal(symlink(target, at(name)), 0);
}

static void swap(const char *from, const char *to)
{
    assert_int_equal(rename(at(from), at(to)), 0);
}

static void on_quiet(void *ctx)
{
    (void)ctx;
    loop_stop(loop);
}

/* Takes what is there and then nothing for 1 ms: inotify events are queued before the call that causes them returns. */
static int changes_now(void)
{
    int before = changes, seen;
    do {
        seen = changes;
        loop_set_alarm(loop, clock_monotonic() + NS_PER_MS, on_quiet, NULL);
        loop_run(loop);
    } while (changes != seen);
    return changes - before;
}

static void watch_name(const char *name)
{
    assert_int_equal(watch_add(watch, at(name)), ERR_NONE);
    assert_int_equal(changes_now(), 0);
}

static void test_write_and_rename(void **state)
{
    (void)state;
    put("a", "1");
    watch_name("a");
    put("a", "2");
    assert_true(changes_now() > 0);
    put("a.new", "3");
    assert_true(changes_now() > 0);
    swap("a.new", "a");
    assert_true(changes_now() > 0);
    put("a", "4"); /* the new file, too */
    assert_true(changes_now() > 0);
    assert_int_equal(unlink(at("a")), 0);
    assert_true(changes_now() > 0);
}

static void test_many_events_are_one_change(void **state)
{
    (void)state;
    watch_name("a");
    for (int i = 0; i < 200; i++)
        put("a", "again");
    assert_int_equal(changes_now(), 1);
}

static void test_reading_is_no_change(void **state)
{
    (void)state;
    char text[4];
    put("a", "1");
    watch_name("a");
    FILE *f = fopen(at("a"), "re");
    assert_int_equal(fread(text, 1, sizeof text, f), 1);
    (void)fclose(f);
    assert_int_equal(changes_now(), 0);
}

static void test_kubernetes_swap(void **state)
{
    (void)state;
    make_folder("v");
    make_folder("v/..1");
    put("v/..1/tls.crt", "1");
    link_to("..1", "v/..data");
    link_to("..data/tls.crt", "v/tls.crt");
    watch_name("v/tls.crt");
    for (char n = '2'; n < '6'; n++) {
        char fresh[] = "v/..N", file[] = "v/..N/tls.crt", old[] = "v/..N", old_file[] = "v/..N/tls.crt";
        fresh[4] = file[4] = n;
        old[4] = old_file[4] = (char)(n - 1);
        make_folder(fresh);
        put(file, "next");
        link_to(fresh + 2, "v/..data_tmp");
        (void)changes_now();
        swap("v/..data_tmp", "v/..data");
        assert_true(changes_now() > 0);
        assert_int_equal(unlink(at(old_file)), 0);
        assert_int_equal(rmdir(at(old)), 0);
        (void)changes_now();
        put(file, "in place");
        assert_true(changes_now() > 0); /* the folder behind the swapped link is watched by now */
    }
}

static void test_link_to_another_folder(void **state)
{
    (void)state;
    make_folder("here");
    make_folder("there");
    make_folder("elsewhere");
    put("there/real", "1");
    put("elsewhere/real", "1");
    link_to(at("there/real"), "here/link");
    watch_name("here/link");
    put("there/real", "2");
    assert_true(changes_now() > 0);
    put("elsewhere/real", "2");
    assert_int_equal(changes_now(), 0);
    link_to("../elsewhere/real", "here/link2");
    swap("here/link2", "here/link");
    assert_true(changes_now() > 0);
    put("elsewhere/real", "3");
    assert_true(changes_now() > 0);
    put("there/real", "3"); /* not ours any more */
    assert_int_equal(changes_now(), 0);
}

static void test_absent_folder_appears(void **state)
{
    (void)state;
    watch_name("x/y/z");
    make_folder("x");
    assert_true(changes_now() > 0);
    make_folder("x/y");
    assert_true(changes_now() > 0);
    put("x/y/z", "1");
    assert_true(changes_now() > 0);
}

static void test_endless_link(void **state)
{
    (void)state;
    link_to("b", "a");
    link_to("a", "b");
    watch_name("a");
    assert_int_equal(unlink(at("b")), 0);
    assert_true(changes_now() > 0);
    put("b", "1");
    assert_true(changes_now() > 0);
}

static void test_clear_forgets(void **state)
{
    (void)state;
    watch_name("a");
    watch_clear(watch);
    put("a", "1");
    assert_int_equal(changes_now(), 0);
    watch_name("a");
    put("a", "2");
    assert_true(changes_now() > 0);
}

static void test_relative_path(void **state)
{
    (void)state;
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(watch_add(watch, "a"), ERR_NONE);
    put("a", "1");
    assert_true(changes_now() > 0);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(watch_add(watch, ""), ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_rename),       TEST(test_many_events_are_one_change),
        TEST(test_reading_is_no_change),   TEST(test_kubernetes_swap),
        TEST(test_link_to_another_folder), TEST(test_absent_folder_appears),
        TEST(test_endless_link),           TEST(test_clear_forgets),
        TEST(test_relative_path),
    };
    alarm(WATCHDOG_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
