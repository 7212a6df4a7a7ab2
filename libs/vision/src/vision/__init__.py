"""Computer vision: pictures, plates, people, faces, tracks, zones, background and media time.

Models run on a server, to which callers provide the connection.
"""
