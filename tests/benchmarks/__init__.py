"""What claims about speed are measured with: `python -m tests.benchmarks [NAME]`.

Each module here with a `main()` starts what it needs from nothing.
"""
