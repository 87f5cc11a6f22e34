"""Hooks for pre-commit; each module is a program of one file that works on its own."""
