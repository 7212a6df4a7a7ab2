"""Fines: the amount owed for a confirmed violation, its legal dates, and the ledger of payments.

In this service, "KoAP" is Kazakhstan's Code of Administrative Offences.
"""
