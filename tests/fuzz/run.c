/* Stands in for libFuzzer's main: runs a target over the files of the folders and over the files named as arguments. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 1 << 20, PATH_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static unsigned inputs;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = malloc(INPUT_MAX);
    if (!f || !p) {
        perror(path);
        exit(1);
    }
    size_t n = fread(p, 1, INPUT_MAX, f);
    fclose(f);
    uint8_t *exact = realloc(p, n ? n : 1); /* so that a sanitizer sees a read past the end */
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    inputs++;
}

static void run_folder(const char *folder, DIR *d)
{
    char path[PATH_BYTES];
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run_file(path);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (d) {
            run_folder(argv[i], d);
            closedir(d);
        } else {
            run_file(argv[i]);
        }
    }
    printf("%u inputs\n", inputs);
    return inputs == 0;
}
