import argparse

parser = argparse.ArgumentParser(prog="tool.py")
parser.add_argument("--color", metavar="NAME")
parser.add_argument("--often", type=int, metavar="N")
parser.parse_args()
