"""How much the tests would notice: the code is changed in one small place, and its tests are run.

What comes in: the number of mutants, or files to make them in.  What goes out: a line for each
mutant that no test notices, and how many there were.  It is a tool, started by hand as
``python -m tests.mutation``; nothing imports it.
"""
