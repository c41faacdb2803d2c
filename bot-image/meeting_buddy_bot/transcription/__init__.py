"""Live transcription: ``process`` hears (a process of its own), ``attribution`` names, ``writer`` keeps."""
