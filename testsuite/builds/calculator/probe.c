#include <stdio.h>

int main(void) { return puts("it works") < 0; }
