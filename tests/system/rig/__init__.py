"""Starts and stops the real things that the system tests run against."""
