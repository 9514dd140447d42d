import unittest


class Sums(unittest.TestCase):
    def test_right(self):
        assert 1 + 1 == 2

    def test_wrong(self):
        assert 1 + 2 == 4, "3 != 4"


unittest.main()
