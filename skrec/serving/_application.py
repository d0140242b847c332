def make_application():
    """X."""
