"""From bytes to what is in a picture: decoding, the models in Triton, objects, plates, faces."""
