"""Updates of the app."""
