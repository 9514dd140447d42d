struct counts { long lines, words, bytes; };

void count(struct counts *counts, int byte);
