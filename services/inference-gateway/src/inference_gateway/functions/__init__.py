"""What each camera's pictures are looked at for: configuration, and the functions that run on it.

`registry` lists the functions; each is a module that reads its rules, runs pure code of `analytics`
over moments, and words its facts. `watching` runs those of one camera.
"""
