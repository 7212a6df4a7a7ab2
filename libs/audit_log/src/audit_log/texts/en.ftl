COSIGNATURE_WRONG = This is not your key's signature of this root.
ENTRY_NOT_SEALED = No sealed entry has this index.
MESH_HEAD_UNKNOWN = No such root was given out; ask for the newest one.
NOTHING_SEALED = Nothing has been sealed yet; try again in a minute.
TREE_SIZE_UNKNOWN = There is no head of this size.
WITNESS_KEY_MISSING = You have no key of a witness yet; ask for it to be registered.
