"""The extension and the pages in a real browser."""
