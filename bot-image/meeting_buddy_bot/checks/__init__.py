"""Questions about the call, one tiny class each, with the clock given to it: has nobody come, has everybody left, …

A check gets what was seen and answers; it reads nothing itself and acts on nothing.
"""
