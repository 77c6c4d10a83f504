"""`python -m kakudai` is `kakudai`."""

from kakudai.cli.main import main

main()
