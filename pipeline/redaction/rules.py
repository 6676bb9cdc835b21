r"""What is redacted: names of fields, paths, patterns of texts. Safe by default; a file adds to it or takes away.

people: [opened_for]          # more fields that hold people, by name or by path
secrets: [licence]            # more fields that hold secrets
names: [Ada Lovelace]         # replaced wherever they stand
patterns: {badge: 'B-\d{6}'}  # more texts that are replaced by a number
keep: [agent.user]            # fields that stay as they are
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import yaml
from pydantic import Field, ValidationError, field_validator

from pipeline.models.catalog import Frozen

RULES_BYTES_MAX: Final = 256 << 10
"""Thousands of names; more belongs into patterns."""

ENTRIES_MAX: Final = 10_000
PATTERN_CHARACTERS_MAX: Final = 1_000

PEOPLE: Final = (
    "acknowledgedby acknowledger actor affecteduser approvedby approver assigned assignedby assignedto "
    "assignee assignees author authors callerid closedby commenter committer contact contacts createdby "
    "creator email emailaddress emails employee firstname followers lastname lastmodifiedby mail mailto "
    "mobile modifiedby openedby person phone phonenumber raisedby realname recipient recipients "
    "reportedby reporter reporters requestedby requestedfor requester resolvedby responder responders "
    "sender submitter subscribers surname syscreatedby sysupdatedby telephone updatedby user "
    "userdisplayname users viewedby watchers"
).split()
"""Fields that hold people in what the known sources send, without case, ``_``, ``-`` and spaces."""

TOLD_BY: Final = ("ids", "id", "name", "names", "email", "login", "uuid")
"""Ends of a field's name that it is known without: ``requested_for_id`` is as ``requested_for``."""

SECRETS: Final = (
    "accesskey accesstoken apikey apitoken authorization authtoken bearertoken clientsecret cookie credentials "
    "idtoken passphrase passwd password privatekey pwd refreshtoken secret secretkey sessionid sessiontoken setcookie "
    "sharedsecret signature token xapikey"
).split()
"""Fields that hold secrets, spelt as in `PEOPLE`."""

SECRET_ENDS: Final = (
    "accesskey", "apikey", "authorization", "cookie", "credentials", "passphrase", "passwd", "password",
    "privatekey", "pwd", "secret", "secretkey", "token",
)  # fmt: skip
"""Ends of a field's name that hold a secret whatever is before them: ``db_password``, ``X-Auth-Token``."""


class RulesError(Exception):
    """The file of rules cannot be used; the message is one line."""


class RedactionRules(Frozen):
    """What is redacted beside the defaults, and what is not.

    Attributes:
        people: names or dotted paths of more fields that hold people.
        secrets: the same for secrets.
        names: people's names, replaced wherever they stand.
        patterns: name -> regular expression; what matches is replaced by a number.
        keep: names or dotted paths of fields that stay as they are, with all that is in them.
    """

    people: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)
    secrets: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)
    names: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)
    patterns: dict[str, str] = Field(default_factory=dict, max_length=100)
    keep: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            if len(pattern) > PATTERN_CHARACTERS_MAX:
                raise ValueError(f"pattern {name}: at most {PATTERN_CHARACTERS_MAX} characters")
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"pattern {name}: {error}") from error
            if compiled.fullmatch(""):
                raise ValueError(f"pattern {name} matches nothing at all, and so everywhere")
        return patterns


def read_rules(file: Path) -> RedactionRules:
    """The rules of a YAML file.

    Raises:
        RulesError: it cannot be read, is too large, is no YAML, or says what is no rule.
    """
    try:
        if file.stat().st_size > RULES_BYTES_MAX:
            raise RulesError(f"{file}: larger than {RULES_BYTES_MAX >> 10} KiB: put names into patterns")
        return RedactionRules.model_validate(yaml.safe_load(file.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RulesError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise RulesError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


INSTITUTIONS: Final = frozenset(
    "admin agent alert api app center centre cloud company customer database desk engineering group help infra "
    "infrastructure monitor monitoring network office call operations platform production service services site sre "
    "support system systems team user web".split()
)
"""Words that make a name one of a team or a machine, not of a person: its words are not looked for in texts."""
