"""Shows objects as Python does that know no better."""


class Shuttle:
    def throw(self):
        """Do nothing."""


print(Shuttle())
print(Shuttle().throw)
print([object()])
print(0x1F, hex(31))  # numbers that are no addresses
