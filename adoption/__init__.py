"""Give a project that is there already what the template puts around its code, and touch nothing that it has."""


class AdoptionError(Exception):
    """It cannot go on; the message is one line that says what would be right."""
