"""`python -m videojob_cli`."""

from videojob_cli.app import main

if __name__ == "__main__":
    main()
