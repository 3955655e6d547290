"""Backprop as students write it, right and wrong, for the doctor: each file one subject, `networks` what it should be.

Written for this project, in the styles of courses: layers with caches, classes, loops, columns as examples.
"""
