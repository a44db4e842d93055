"""What each command of the command line does, apart from reading argv and printing."""
