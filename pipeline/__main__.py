"""``python -m pipeline`` is the ``spillway`` command."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
