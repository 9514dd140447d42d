"""Asks a question that nobody answers."""

try:
    input("Who is there? ")
except EOFError:
    print("nobody")
