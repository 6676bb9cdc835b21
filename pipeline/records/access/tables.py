"""Tables of who may come in and who did; the migration is version 0003."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from pipeline.records.tables import METADATA

ACCESS_TOKENS: Final = Table(
    "access_tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False, comment="who it is to the rest of Spillway"),
    Column("grants", JSONB, nullable=False, comment="[{role, domains}]; domains null: all"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Text),
    Column("last_used_at", DateTime(timezone=True), comment="to some minutes"),
    comment="API tokens, by the part of them that is no secret",
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("reference", Text, nullable=False, comment="names it in the access log"),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("token_id", Text, ForeignKey("access_tokens.id"), comment="the token that it came from, if one"),
    Column("groups", ARRAY(Text), nullable=False, comment="as single sign-on said; what they may is configuration"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False, comment="to a minute"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    comment="browsers that are signed in",
)

ACCESS_LOG: Final = Table(
    "access_log",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("subject", Text),
    Column("came_by", Text),
    Column("credential", Text),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("target", Text),
    Column("status", Integer, nullable=False),
    Column("reason", Text),
    comment="every write, every sign-in and every look at one thing, kept for a time",
)
