"""What the operator creates, as pure builders: one bot's pod and its Secret.

Golden files in the tests show them whole.
"""
