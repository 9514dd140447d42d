#include "count.h"

#include <stdio.h>

int main(void)
{
    struct counts counts = {0, 0, 0};
    int byte;

    while ((byte = getchar()) != EOF)
        count(&counts, byte);
    printf("%ld %ld %ld\n", counts.lines, counts.words, counts.bytes);
    return 0;
}
