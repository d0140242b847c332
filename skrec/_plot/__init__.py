"""What the displays of metrics and inspection share; imports matplotlib only when it draws."""
