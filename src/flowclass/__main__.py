"""``python -m flowclass`` is the command ``flowclass``."""

from flowclass.cli.main import main

if __name__ == "__main__":
    main()
