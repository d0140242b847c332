"""Where torch computes."""


def resolve_device(device):
    """Turn a `device` parameter into a ``torch.device``.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device
        "auto" takes CUDA where there is one. Resolved at each fit and predict, so a
        model fitted on CUDA works where there is none.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device is unknown, or a CUDA device was asked for that is not there.
    """
    import torch

    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'device must be "auto", "cpu", "cuda", "cuda:N" or a torch.device. Got {device!r}.'
        ) from error
    if resolved.type == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (resolved.index or 0) >= n_devices:
            cause = (
                "this build of torch has no CUDA"
                if torch.version.cuda is None
                else f"torch sees {n_devices} CUDA device(s)"
            )
            raise ValueError(
                f"device={str(device)!r} was asked for, but {cause}. Use device='auto' or "
                "set_params(device='cpu'), or install a CUDA build of torch."
            )
    elif resolved.type != "cpu":
        raise ValueError(f"device={str(device)!r} is not supported: use 'cpu' or 'cuda'.")
    return resolved
