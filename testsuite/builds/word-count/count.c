#include "count.h"

#include <ctype.h>

void count(struct counts *counts, int byte)
{
    static int in_word;

    counts->bytes++;
    counts->lines += byte == '\n';
    counts->words += !isspace(byte) && !in_word;
    in_word = !isspace(byte);
}
