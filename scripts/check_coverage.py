"""Hold branch coverage to the house's floors: 100 % where verdicts are made, 90 % elsewhere.

Run after the tests, on their combined data; prints the files that fall short and fails.
"""

from __future__ import annotations

import sys

from coverage import Coverage

STRICT = ("formats/*", "compatibility/*", "contracts/*")
# What runs in processes of its own (protoc's workers, the serving process) is tested there and not measured here.
UNMEASURED = ("*/formats/protobuf/worker.py", "*/server.py", "*/cli/*", "*/store/migrations/*")
PACKAGE = "*/llm_schema_registry/"


def main() -> int:
    coverage = Coverage()
    coverage.load()
    strict = [f"{PACKAGE}{pattern}" for pattern in STRICT]
    failures = []
    for name, floor, include, omit in (
        ("formats, compatibility, contracts", 100.0, strict, UNMEASURED),
        ("everything else", 90.0, [f"{PACKAGE}*"], [*strict, *UNMEASURED]),
    ):
        total = coverage.report(include=include, omit=omit, show_missing=True, skip_covered=True, file=sys.stdout)
        print(f"branch coverage of {name}: {total:.2f} % (floor {floor:g} %)")
        if total < floor:
            failures.append(name)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
