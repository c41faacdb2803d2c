"""Commands for whoever fixes a platform's table: a pack of a session's pages, and what a table makes of each of them.

``cli`` (arguments, exit codes) → ``make_pack`` and ``table_check``; ``offline_browser`` draws saved pages.
The bot itself uses none of this.
"""
