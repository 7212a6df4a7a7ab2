"""SQL statements that are compiled once and used often.

`writes` inserts all rows of a transaction with one statement, `shared_commits` lets concurrent
calls share a commit, and `reads` runs SELECTs. `scopes` has the SQL that sets a transaction's scope
for row-level security. Readers may begin with `writes`.
"""
