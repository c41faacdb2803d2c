"""The engine that a configuration asks for."""

from meeting_buddy_bot.transcription.engine import Engine, EngineError
from meeting_buddy_bot.transcription.messages import TranscriberConfig


def build(config: TranscriberConfig) -> Engine:
    """Load it. Blocking, for seconds.

    Raises:
        EngineError: there is none, or it does not know the language.
    """
    if config.engine == "faster-whisper":
        # Imported here: its libraries take a second and a hundred megabytes that other engines do not need.
        from meeting_buddy_bot.transcription.whisper_engine import WhisperEngine

        return WhisperEngine(config)
    raise EngineError("ServerFailed", f"this image has no engine {config.engine}")
