"""What lies outside: the violations service, the vehicle register, the post, the seal.

The embedded register is a file, the embedded post a folder; both stand behind the same Protocols as
the state's own will.
"""
