"""`python -m tools.kube`."""

from tools.kube.command import main

if __name__ == "__main__":
    main()
