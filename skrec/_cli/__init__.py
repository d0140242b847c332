"""The command line. The modules are private; the commands and their files are public."""
