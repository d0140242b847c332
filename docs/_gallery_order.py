"""The order of the gallery."""

from pathlib import Path

EXAMPLES = Path(__file__).parent / "examples"
SECTIONS = ("tasks", "evaluation", "methods")

# From the first steps to what is special; files that are not named come last, by name.
ORDER = (
    "plot_first_recommender.py",
    "plot_grid_search.py",
    "plot_generalization.py",
    "plot_activity.py",
    "plot_cold_users.py",
    "plot_cold_items.py",
    "plot_visual.py",
    "plot_context.py",
    "plot_two_stage.py",
    "plot_popularity_bias.py",
    "plot_worrying.py",
    "plot_linear_and_neural.py",
    "plot_mult_vae_annealing.py",
    "plot_likelihoods.py",
    "plot_latent_space.py",
    "plot_loca.py",
)


def example_order(filename):
    """Sort key of an example.

    Parameters
    ----------
    filename : str
        Without its folder.

    Returns
    -------
    key : tuple of (int, str)
        The place in `ORDER`, then the name.
    """
    return (ORDER.index(filename) if filename in ORDER else len(ORDER)), filename


def section_order(folder):
    """Sort key of a folder of examples.

    Parameters
    ----------
    folder : str

    Returns
    -------
    key : int
        The place in `SECTIONS`.
    """
    return SECTIONS.index(Path(folder).name)


def example_path(stem):
    """Find the script of an example.

    Parameters
    ----------
    stem : str
        Its name, without the folder and ".py".

    Returns
    -------
    path : pathlib.Path
    """
    (path,) = EXAMPLES.rglob(f"{stem}.py")
    return path
