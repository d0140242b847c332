"""Shared by the displays of metrics and inspection; imports matplotlib only when it draws."""
