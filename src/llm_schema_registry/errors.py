"""Everything that can be refused, each with its stable code; the HTTP status is the code's first three digits.

    RegistryError
    ├── NotFound                  SubjectNotFound 40401, VersionNotFound 40402, SchemaNotFound 40403,
    │                             SubjectConfigNotFound 40408, SubjectModeNotFound 40409, ReportNotFound 40410,
    │                             JobNotFound 40411, DocumentNotFound 40412, RouteNotFound 404
    ├── DeleteOutOfOrder          SubjectSoftDeleted 40404, SubjectNotSoftDeleted 40405,
    │                             VersionSoftDeleted 40406, VersionNotSoftDeleted 40407
    ├── IncompatibleSchema 40901
    ├── Refused                   InvalidSchema 42201, InvalidVersion 42202, InvalidCompatibility 42203,
    │                             InvalidMode 42204, OperationNotPermitted 42205, ReferenceExists 42206,
    │                             IdDoesNotMatch 42207, InvalidSubject 42208, SchemaTooLarge 42209,
    │                             InvalidRuleSet 42210, ContextNotEmpty 42211, TooComplex 42212,
    │                             InvalidPayload 42213, InvalidConstraint 42214, PolicyNotMet 42215,
    │                             InvalidDocument 42216
    ├── BadRequest 400, EmptyBody 422, TooDeep 422, IdsExhausted 422, MethodNotAllowed 405, NotAcceptable 406,
    │   BodyTimedOut 408, TooLarge 413, UnsupportedMediaType 415, TooManyJobs 42901
    ├── StoreFailed 50001 ── StoreUnavailable 50301
    └── TimedOut 50002, CheckFailed 50003, Overloaded 50302, NotReady 503

`retry_seconds` says when asking again may help: all that is 429 or 503 tells it, and TimedOut. Codes are Confluent's
(rest-api section 2). Refuses to know HTTP: a transport translates once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from llm_schema_registry.model import LATEST, MAX_ID

if TYPE_CHECKING:
    from llm_schema_registry.model import Report, Violation


class RegistryError(Exception):
    """Base of all refusals. `str(error)` is the message that a caller may see."""

    code: ClassVar[int]
    retry_seconds: ClassVar[int | None] = None

    @property
    def http_status(self) -> int:
        """The first three digits of the code."""
        return int(str(self.code)[:3])


class NotFound(RegistryError):
    """Something that was named does not exist."""


class RouteNotFound(NotFound):
    code = 404

    def __init__(self) -> None:
        super().__init__("HTTP 404 Not Found")


class SubjectNotFound(NotFound):
    code = 40401

    def __init__(self, subject: object) -> None:
        super().__init__(f"Subject '{subject}' not found.")


class VersionNotFound(NotFound):
    code = 40402

    def __init__(self, version: int) -> None:
        super().__init__(f"Version {version} not found.")


class SchemaNotFound(NotFound):
    code = 40403

    def __init__(self, which: object = None) -> None:
        super().__init__("Schema not found" if which is None else f"Schema {which} not found")


class SubjectConfigNotFound(NotFound):
    code = 40408

    def __init__(self, subject: object) -> None:
        super().__init__(f"Subject '{subject}' does not have subject-level compatibility configured")


class SubjectModeNotFound(NotFound):
    code = 40409

    def __init__(self, subject: object) -> None:
        super().__init__(f"Subject '{subject}' does not have subject-level mode configured")


class ReportNotFound(NotFound):
    code = 40410

    def __init__(self, report_id: str) -> None:
        super().__init__(f"Report '{report_id}' not found; reports are kept for 30 days, the newest ones only")


class JobNotFound(NotFound):
    code = 40411

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job '{job_id}' not found; jobs that ended are kept for a time only")


class DocumentNotFound(NotFound):
    code = 40412

    def __init__(self, kind: str, name: str, version: int = LATEST) -> None:
        which = "" if version == LATEST else f" of version {version}"
        super().__init__(f"No {kind} '{name}'{which} found")


class DeleteOutOfOrder(RegistryError):
    """Soft and permanent delete come in that order, once each."""


class SubjectSoftDeleted(DeleteOutOfOrder):
    code = 40404

    def __init__(self, subject: object) -> None:
        super().__init__(f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently")


class SubjectNotSoftDeleted(DeleteOutOfOrder):
    code = 40405

    def __init__(self, subject: object) -> None:
        super().__init__(f"Subject '{subject}' was not deleted first before being permanently deleted")


class VersionSoftDeleted(DeleteOutOfOrder):
    code = 40406

    def __init__(self, subject: object, version: int) -> None:
        super().__init__(
            f"Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete permanently"
        )


class VersionNotSoftDeleted(DeleteOutOfOrder):
    code = 40407

    def __init__(self, subject: object, version: int) -> None:
        super().__init__(
            f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
        )


class IncompatibleSchema(RegistryError):
    """A schema would break readers; `report` says how."""

    code = 40901

    def __init__(self, subject: object, report: Report) -> None:
        self.subject = subject
        self.report = report
        details = ", ".join(report.messages)
        super().__init__(
            "Schema being registered is incompatible with an earlier schema for subject "
            f'"{subject}", details: [{details}]'
        )


class Refused(RegistryError):
    """The request is well formed, but what it asks for is not allowed or makes no sense."""


class InvalidSchema(Refused):
    code = 42201


class InvalidVersion(Refused):
    code = 42202

    def __init__(self, token: object) -> None:
        super().__init__(
            f"The specified version '{token}' is not a valid version id. Allowed values are between [1, 2^31-1] and "
            'the string "latest"'
        )


class InvalidCompatibility(Refused):
    code = 42203


class InvalidMode(Refused):
    code = 42204


class OperationNotPermitted(Refused):
    code = 42205


class ReferenceExists(Refused):
    code = 42206


class IdDoesNotMatch(Refused):
    code = 42207


class InvalidSubject(Refused):
    code = 42208


class SchemaTooLarge(Refused):
    code = 42209


class InvalidRuleSet(Refused):
    code = 42210


class ContextNotEmpty(Refused):
    code = 42211

    def __init__(self, context: str) -> None:
        super().__init__(f"The specified context '{context}' is not empty.")


class TooComplex(Refused):
    """Comparing two schemas took more time than it may; `report` is what was decided until then, if anything."""

    code = 42212

    def __init__(self, message: str, report: Report | None = None) -> None:
        self.report = report
        super().__init__(message)


class InvalidPayload(Refused):
    """A payload breaks its schema's contract; `violations` say where and how."""

    code = 42213

    def __init__(self, *violations: Violation) -> None:
        self.violations = violations
        first = violations[0].message
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(f"{first}{more}")


class InvalidConstraint(Refused):
    """A field constraint in a schema's metadata is not well formed, or does not fit the field."""

    code = 42214


class PolicyNotMet(Refused):
    """A governance policy asks for a protection of tagged fields that a schema does not give."""

    code = 42215


class InvalidDocument(Refused):
    """A policy or a set of reference data is not well formed, or too large."""

    code = 42216


class BadRequest(RegistryError):
    code = 400


class EmptyBody(RegistryError):
    code = 422


class IdsExhausted(RegistryError):
    """A context has given out its last id."""

    code = 422

    def __init__(self, context: str) -> None:
        super().__init__(f"Context {context} has no id left: clients read at most {MAX_ID}; use another context")


class TooDeep(RegistryError):
    code = 422

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body nests deeper than {limit} levels")


class MethodNotAllowed(RegistryError):
    code = 405

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self.allowed = allowed
        super().__init__("HTTP 405 Method Not Allowed")


class NotAcceptable(RegistryError):
    code = 406

    def __init__(self) -> None:
        super().__init__("HTTP 406 Not Acceptable")


class BodyTimedOut(RegistryError):
    """The client began a body and did not send all of it in time."""

    code = 408


class TooLarge(RegistryError):
    code = 413


class UnsupportedMediaType(RegistryError):
    code = 415

    def __init__(self) -> None:
        super().__init__("HTTP 415 Unsupported Media Type")


class TooManyJobs(RegistryError):
    code = 42901
    retry_seconds = 10

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs are waiting or running already; wait for one to end, or cancel one")


class StoreFailed(RegistryError):
    code = 50001


class StoreUnavailable(StoreFailed):
    """The database is away, or cannot work now."""

    code = 50301
    retry_seconds = 2


class Overloaded(RegistryError):
    """More waits already than can be done soon; nothing was begun."""

    code = 50302
    retry_seconds = 1

    def __init__(self, reason: str) -> None:
        super().__init__(f"The server is overloaded: {reason}; try again soon")


class TimedOut(RegistryError):
    code = 50002
    retry_seconds = 1


class CheckFailed(RegistryError):
    """One check of a job met a fault of ours; the others go on."""

    code = 50003

    def __init__(self) -> None:
        super().__init__("The check met a fault of the server, whose log tells more")


class NotReady(RegistryError):
    """The server runs but cannot do its work yet, or no longer."""

    code = 503
    retry_seconds = 2
