"""Templates of messages in files of their own: ``templates/*.j2``, read into the packs that name them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from pipeline.catalog.packs import Packs
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.models.communications import AudienceRule, TemplateFile
from pipeline.models.policy import DomainPolicy

FOLDER: Final = "templates"
SUFFIX: Final = ".j2"


def is_template(file: PurePosixPath) -> bool:
    """Whether a file is a template that a pack may name."""
    return file.suffix == SUFFIX and len(file.parts) == 2 and file.parts[0] == FOLDER


def attach_templates(packs: Packs, templates: dict[str, bytes], findings: Findings) -> None:
    """Give each pack the text of the templates that it names; what no pack names is remarked.

    Args:
        packs: whose policies are completed in place.
        templates: name of each file below ``templates/`` -> its bytes.
        findings: takes what is wrong, by the line that names the file.
    """
    named = set[str]()
    for domain, policy in list(packs.domains.items()):
        rules = policy.communication
        if any(isinstance(text, TemplateFile) for rule in rules.audiences.values() for text in rule.templates.values()):
            audiences = {
                name: _whole(packs, domain, name, rule, templates, findings, named)
                for name, rule in rules.audiences.items()
            }
            whole = rules.model_copy(update={"audiences": audiences})
            for derived in ("rules", "places", "heard"):
                whole.__dict__.pop(derived, None)
            packs.domains[domain] = _replaced(policy, whole)
    for file in sorted(templates.keys() - named):
        findings.warning(Place(f"{FOLDER}/{file}", 1), "no audience names this template", "unused-template")


def _replaced(policy: DomainPolicy, communication: object) -> DomainPolicy:
    return policy.model_copy(update={"communication": communication})


def _whole(
    packs: Packs,
    domain: str,
    audience: str,
    rule: AudienceRule,
    templates: dict[str, bytes],
    findings: Findings,
    named: set[str],
) -> AudienceRule:
    texts: dict[str, str | TemplateFile] = {}
    for name, template in rule.templates.items():
        if isinstance(template, str):
            texts[name] = template
            continue
        place = packs.sources["domain", domain].at("communication", "audiences", audience, "templates", name)
        named.add(template.file)
        text = _text(template.file, templates, place, findings)
        if text is not None:
            texts[name] = text
            packs.template_files[domain, audience, name] = f"{FOLDER}/{template.file}"
    return rule.model_copy(update={"templates": texts})


def _text(file: str, templates: dict[str, bytes], place: Place, findings: Findings) -> str | None:
    data = templates.get(file)
    if data is None:
        findings.problem(place, f"there is no template {FOLDER}/{file}{suggestion(file, templates)}")
        return None
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.problem(Place(f"{FOLDER}/{file}", line), "not UTF-8; save the file in that encoding")
        return None
