"""Examination of uploaded files, each in a process of its own, and the making of their clean forms.

`process` starts the process and feeds it; `child` is what runs there, without network, environment
and with bounds on memory and time. `pictures` and `recordings` read the untrusted content: they are
imported in the child alone.
"""
