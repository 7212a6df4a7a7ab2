"""Adapters of the violations service, the vehicle register, the post and the electronic seal.

The vehicle register and the post are embedded substitutes: the register is a JSON file, and letters
are delivered into a folder. Adapters of the state's systems will implement the same protocols.
"""
