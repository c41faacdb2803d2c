"""The engine that a configuration asks for."""

from meeting_buddy_bot.transcription.engine import Engine
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
    from meeting_buddy_bot.transcription.openai_engine import OpenAIEngine

    return OpenAIEngine(config)
