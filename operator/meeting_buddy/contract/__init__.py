"""What operator and bot share: models of assignment and report, phases, reasons, links, tokens.

Pure: standard library and pydantic only, no input or output, no clock. Operator, bot, HTTP API and command line import
these names; none of them keeps a copy. Additive within :data:`VERSION`: a reader ignores fields it does not know.
"""

VERSION = 1
"""Number of the contract. The operator reads reports of this version, of the one before it and of the one after it."""
