"""`python -m videojob_cli`: the same as `videojob`."""

from videojob_cli.app import main

if __name__ == "__main__":
    main()
