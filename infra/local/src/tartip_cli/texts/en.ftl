PICTURE_TOO_LARGE = The picture is too large: at most 8 MiB and 50 megapixels.
