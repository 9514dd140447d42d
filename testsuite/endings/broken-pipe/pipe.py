"""Lets `yes` write to a pipe that is closed, and names the signal that ends it."""

import signal
import subprocess

child = subprocess.Popen(["yes"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
child.stdout.read(10)
child.stdout.close()
print(signal.Signals(-child.wait()).name)
