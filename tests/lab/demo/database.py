"""A program of the demo: bring the schema up to date, seed, say on stdout who can sign in.

Reads the passwords known from an earlier start on stdin: {"email": "password"}.
"""

import json
import sys

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    from tests.lab.demo.seed import seed_demo

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    json.dump(seed_demo(known_passwords=json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
