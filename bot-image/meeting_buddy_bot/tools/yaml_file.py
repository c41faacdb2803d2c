"""Files that people write by hand, read so that every mistake in them is told in words."""

from pathlib import Path

import yaml

from meeting_buddy_bot.tools.errors import ToolError


def read_yaml(file: Path) -> object:
    """The document in ``file``.

    Raises:
        ToolError: it cannot be read, is no YAML, or has a value that is none of its kind, such as a 30 February.
    """
    try:
        return yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from error
    except yaml.YAMLError as error:
        raise ToolError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ToolError(f"{file} is nested too deep") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # PyYAML's, of a tagged or a plain value
        raise ToolError(f"{file} has a value that cannot be read: {error}") from error
