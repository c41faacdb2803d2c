"""What the operator knows (facts), what follows from it (decide), and what is to be done (plan); pure.

No input, no output, no clock of its own. Facts in, plan out: the same facts at the same moment give the same plan, and
facts that already show the plan's effect give an empty one.
"""
