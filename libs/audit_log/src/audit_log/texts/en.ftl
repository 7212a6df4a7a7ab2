ENTRY_NOT_SEALED = No sealed entry has this index.
NOTHING_SEALED = Nothing has been sealed yet; try again in a minute.
TREE_SIZE_UNKNOWN = There is no head of this size.
