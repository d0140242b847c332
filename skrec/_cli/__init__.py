"""The command line; private, its interface is the commands and their files."""
