"""A progress bar around the steps of a fit."""


def progress_bar(steps, name, *, shown):
    """The steps as they are, or with a bar around them."""
    if not shown:
        return steps
    from tqdm import tqdm

    return tqdm(steps, desc=name)
