"""The arrays that pictures and the answers of models come in."""

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""A picture in BGR, [height, width, 3]."""
Floats = npt.NDArray[np.float32]
"""Answers of models, points and templates; each function names its shape."""
