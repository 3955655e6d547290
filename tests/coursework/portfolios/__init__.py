"""Backprop as in the repositories of students: a file each, with the network, the code and edits of it."""
