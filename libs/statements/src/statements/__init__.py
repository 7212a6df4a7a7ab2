"""SQL statements compiled once and used often, with the scope that row-level security reads.

`writes` inserts all rows of a transaction by one statement, `shared_commits` lets concurrent calls
share a commit, and `reads` runs SELECTs. Start at `writes`.
"""
