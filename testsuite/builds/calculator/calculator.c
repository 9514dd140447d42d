/* Computes A OPERATOR B in 64 bits, and says so where that is not enough. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(int status, const char *what, const char *which)
{
    printf("%s%s\n", what, which);
    return status;
}

static int number(const char *text, long long *value)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

int main(int argc, char **argv)
{
    long long a, b, result = 0;
    int too_large = 0;

    if (argc != 4)
        return fail(2, "usage: calculator A OPERATOR B", "");
    if (!number(argv[1], &a))
        return fail(2, "not a number: ", argv[1]);
    if (!number(argv[3], &b))
        return fail(2, "not a number: ", argv[3]);
    switch (argv[2][1] ? '\0' : argv[2][0]) {
    case '+':
        too_large = __builtin_add_overflow(a, b, &result);
        break;
    case '-':
        too_large = __builtin_sub_overflow(a, b, &result);
        break;
    case 'x':
        too_large = __builtin_mul_overflow(a, b, &result);
        break;
    case '/':
    case '%':
        if (b == 0)
            return fail(3, "division by zero", "");
        result = argv[2][0] == '/' ? a / b : a % b;
        break;
    default:
        return fail(2, "no such operator: ", argv[2]);
    }
    if (too_large)
        return fail(4, "overflow", "");
    printf("%lld\n", result);
    return 0;
}
