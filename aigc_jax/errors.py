"""The one exception for mistakes that a user can mend."""


class UserError(Exception):
    """A mistake in the input, said in one line that names the thing and the remedy.

    The command line prints the line without a traceback and exits with `code`:
    2 for a wrong configuration or command line, 1 for everything else.
    """

    def __init__(self, message: str, code: int = 1):
        super().__init__(" ".join(message.split()))
        self.code = code


class ConfigError(UserError):
    """A wrong key, type or value in the configuration or on the command line."""

    def __init__(self, message: str):
        super().__init__(message, code=2)
