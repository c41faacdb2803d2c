"""What the operator creates, as pure builders: a bot's or a finisher's pod and its Secret.

Golden files in the tests show them whole.
"""
