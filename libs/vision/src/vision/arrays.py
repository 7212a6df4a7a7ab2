"""Array types of pictures and of model outputs."""

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""A picture in BGR, [height, width, 3]."""
Floats = npt.NDArray[np.float32]
"""Model outputs, points and templates; each function documents the shape."""
