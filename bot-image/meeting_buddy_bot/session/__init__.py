"""One session: join, stay, leave; what it reports on the way and how it ended."""
