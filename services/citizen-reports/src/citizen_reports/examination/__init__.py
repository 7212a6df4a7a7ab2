"""Examines uploaded files, each in a child process, and makes their clean and blurred forms.

`process` starts a child process and sends it the file. `child` runs in that process, without
network and environment variables, and with limited memory and time. `pictures`, `recordings` and
`blurring` decode the untrusted content; only the child process imports them.
"""
