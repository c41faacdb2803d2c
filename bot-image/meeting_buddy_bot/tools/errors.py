"""What these commands cannot do, in words for whoever typed them."""


class ToolError(Exception):
    """The command cannot be carried out as it was given; the message says why and what helps."""
