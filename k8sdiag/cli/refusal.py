"""Why there is no answer. In a file of its own because raising it must not cost the import of the options."""


class CouldNotLook(Exception):  # noqa: N818 (it says what happened)
    """There is no answer, for a reason that fits a line. Exit code 3."""
