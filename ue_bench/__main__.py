import os
import sys

if __name__ == "__main__":
    # `python -m` puts the current folder first. It stays there if the package is in it.
    checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and sys.path[0] == os.getcwd() != checkout:
        del sys.path[0]
    from ue_bench.cli import main

    main()
