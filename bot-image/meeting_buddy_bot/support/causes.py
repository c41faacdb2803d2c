"""Why something failed, in words that are fit for a session's status: never a link, never a page's own text."""


class WordedError(Exception):
    """An error whose message is fit for a status."""


def cause_of(error: BaseException) -> str:
    """Words for a failure that are fit for a status: the error's own, the kernel's, or else the type of the error."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, WordedError):
        return str(error)
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
