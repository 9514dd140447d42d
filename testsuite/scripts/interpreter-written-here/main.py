"""Evaluates arithmetic by recursive descent."""

import re


def evaluate(text):
    tokens = re.findall(r"\d+|[-+*/()]|\S", text)

    def atom():
        token = tokens.pop(0) if tokens else "end"
        if token == "(":
            value = total()
            if not tokens or tokens.pop(0) != ")":
                raise SyntaxError("expected )")
            return value
        if token == "-":
            return -atom()
        if not token.isdigit():
            raise SyntaxError(f"unexpected {token}")
        return int(token)

    def product():
        value = atom()
        while tokens and tokens[0] in "*/":
            value = value * atom() if tokens.pop(0) == "*" else value // atom()
        return value

    def total():
        value = product()
        while tokens and tokens[0] in "+-":
            value = value + product() if tokens.pop(0) == "+" else value - product()
        return value

    value = total()
    if tokens:
        raise SyntaxError(f"unexpected {tokens[0]}")
    return value


for text in ("1+2*3", "(1+2)*3", "2-3-4", "-(2+3)*2", "7/2", "1/0", "(1", "1+", "2 ! 3"):
    try:
        print(text, "=", evaluate(text))
    except (SyntaxError, ZeroDivisionError) as error:
        print(text, "->", type(error).__name__)
