"""The sandbox for engineers of partners: a whole mesh whose desk acts by itself, whose faults come
when they are asked for, and whose clock can be moved forward."""
