"""Meeting platforms as tables (``<platform>.yaml``) and the code that reads pages by them, the same for all.

``probe`` sees, ``tracker`` says what it means, ``join_loop`` acts until the bot is in, ``speakers`` and ``people``
follow who is there. Adding a platform touches this folder alone, and usually only adds a file of YAML; what that cannot
say, an ``adapter`` beside it does.
"""
