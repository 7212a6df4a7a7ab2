"""Examination of uploaded files, each in a process of its own; their clean and blurred forms.

`process` starts the process and feeds it; `child` is what runs there, without network, environment
and with bounds on memory and time. `pictures`, `recordings` and `blurring` read the untrusted
content: they are imported in the child alone.
"""
