"""How settings become the configuration of clients; certificates that are renewed; tokens of AWS. Without a broker."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import faust
import pytest
from pydantic import SecretStr

from pipeline.kafka.client import AccessError, access_of, aiokafka, for_faust, librdkafka, tls_context
from pipeline.kafka.tokens import FRESH_SECONDS, AwsTokens, TokenError, aws_tokens
from pipeline.settings import VARIABLES, Settings, SettingsError
from tests.gateway.signing import make_certificate, make_key

PASSWORD = "a password that nobody may see"
ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"

ONLY_PLACE = "pipeline/kafka/client.py"
READS_IT_BACK = "pipeline/kafka/reach.py"
"""Takes the address out of a configuration, to name it in a message."""


def read(**given: str) -> Settings:
    return Settings.from_environment({f"SPILLWAY_KAFKA_{name.upper()}": value for name, value in given.items()})


LOGIN = {"security": "sasl_tls", "username": "u", "password": PASSWORD}

WRONG = [
    ({"security": "ssl"}, "SPILLWAY_KAFKA_SECURITY='ssl': allowed is plaintext, tls, sasl_tls, sasl_plaintext"),
    ({"username": "u"}, "SPILLWAY_KAFKA_USERNAME is set and SPILLWAY_KAFKA_SECURITY=plaintext logs nobody in"),
    ({"ca_file": "/ca"}, "SPILLWAY_KAFKA_CA_FILE is set and SPILLWAY_KAFKA_SECURITY=plaintext makes no use of it"),
    (LOGIN | {"security": "tls"}, "SPILLWAY_KAFKA_USERNAME is set and SPILLWAY_KAFKA_SECURITY=tls logs nobody in"),
    ({"security": "tls", "key_file": "/k"}, "SPILLWAY_KAFKA_CERTIFICATE_FILE and SPILLWAY_KAFKA_KEY_FILE go together"),
    ({"security": "sasl_tls"}, "SPILLWAY_KAFKA_SECURITY=sasl_tls needs SPILLWAY_KAFKA_USERNAME"),
    ({"security": "sasl_tls", "username": "u"}, "needs SPILLWAY_KAFKA_PASSWORD or SPILLWAY_KAFKA_PASSWORD_FILE"),
    (LOGIN | {"password_file": "/p"}, "SPILLWAY_KAFKA_PASSWORD or SPILLWAY_KAFKA_PASSWORD_FILE, one of the two"),
    (LOGIN | {"sasl_mechanism": "gssapi"}, "SPILLWAY_KAFKA_SASL_MECHANISM='gssapi': allowed is scram-sha-512"),
    (LOGIN | {"aws_region": REGION}, "SPILLWAY_KAFKA_AWS_REGION is set and only SPILLWAY_KAFKA_SASL_MECHANISM=aws-iam"),
    (LOGIN | {"security": "sasl_plaintext", "sasl_mechanism": "plain"}, "sends the password in the clear"),
    (LOGIN | {"sasl_mechanism": "aws-iam"}, "SPILLWAY_KAFKA_SASL_MECHANISM=aws-iam needs SPILLWAY_KAFKA_AWS_REGION"),
    (
        LOGIN | {"sasl_mechanism": "aws-iam", "aws_region": REGION},
        "SPILLWAY_KAFKA_USERNAME is set and SPILLWAY_KAFKA_SASL_MECHANISM=aws-iam takes who we are from AWS",
    ),
    ({"security": "sasl_plaintext", "sasl_mechanism": "aws-iam", "aws_region": REGION}, "must not travel in the clear"),
]


@pytest.mark.parametrize(("given", "said"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_go_together_is_one_line_that_names_the_variable(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_one_place_makes_the_configuration_of_all_clients() -> None:
    words = ("bootstrap.servers", "bootstrap_servers")
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "pipeline").rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found == {ONLY_PLACE, READS_IT_BACK}, f"use librdkafka(settings) or aiokafka(settings) of {ONLY_PLACE}"


def test_a_login_reaches_every_kind_of_client_and_is_shown_by_none() -> None:
    settings = read(**LOGIN)
    confluent, ours, fausts = librdkafka(settings), aiokafka(settings), for_faust(settings)
    assert (confluent["security.protocol"], confluent["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (confluent["sasl.username"], confluent["sasl.password"]) == ("u", PASSWORD)
    assert (ours["security_protocol"], ours["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (ours["sasl_plain_username"], ours["sasl_plain_password"]) == ("u", PASSWORD)
    assert isinstance(fausts, faust.SASLCredentials)
    assert (fausts.username, fausts.password, fausts.protocol.value) == ("u", PASSWORD, "SASL_SSL")
    for shown in (settings, access_of(settings), fausts, settings.model_dump(), settings.model_dump_json()):
        assert PASSWORD not in repr(shown)


def test_without_settings_a_client_speaks_as_it_always_has() -> None:
    settings = Settings()
    assert librdkafka(settings) == {"bootstrap.servers": "127.0.0.1:9092", "log_level": 0}
    assert aiokafka(settings)["security_protocol"] == "PLAINTEXT"
    assert aiokafka(settings)["ssl_context"] is None
    assert for_faust(settings) is None


def test_a_child_process_gets_the_password_and_nothing_of_another_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPILLWAY_KAFKA_USERNAME", "whoever started us")
    settings = read(**LOGIN)
    assert Settings.from_environment(settings.to_environment()) == settings
    embedded = settings.on_embedded("127.0.0.1:1")
    assert Settings.from_environment(embedded.to_environment()) == Settings(bootstrap="127.0.0.1:1")


def test_a_password_is_read_from_its_file_for_each_client(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = read(security="sasl_tls", username="u", password_file=str(file))
    with pytest.raises(SettingsError, match=r"SPILLWAY_KAFKA_PASSWORD_FILE='.*password' cannot be read: No such file"):
        librdkafka(settings)
    file.write_text("\n")
    with pytest.raises(SettingsError, match="is empty: put the password in it"):
        librdkafka(settings)
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        assert librdkafka(settings)["sasl.password"] == aiokafka(settings)["sasl_plain_password"] == password


def test_files_that_hold_no_certificates_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SPILLWAY_KAFKA_CA_FILE='/nowhere' cannot be read: No such file"):
        librdkafka(read(security="tls", ca_file="/nowhere"))
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(AccessError, match=r"ca\.pem: not a file of certificates in PEM"):
        aiokafka(read(security="tls", ca_file=str(file)))
    key, other = make_key(tmp_path, "a"), make_key(tmp_path, "b")
    certificate = make_certificate(tmp_path, "a", key, "somebody")
    given = {"ca_file": str(certificate), "certificate_file": str(certificate), "key_file": str(other)}
    with pytest.raises(AccessError, match="the key that belongs to the second"):
        aiokafka(read(security="tls", **given))


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes | None:
    """A whole handshake in memory; the certificate that the server saw."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert waiting == []
    return theirs.getpeercert(binary_form=True)


def test_a_certificate_that_is_renewed_on_disk_is_shown_at_the_next_connection(tmp_path: Path) -> None:
    keys = [make_key(tmp_path, name) for name in ("broker", "first", "second")]
    broker, first, second = (make_certificate(tmp_path, key.stem, key, "localhost") for key in keys)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(broker, keys[0])
    server.verify_mode = ssl.CERT_REQUIRED
    for each in (first, second):
        server.load_verify_locations(each)
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def renew(source: Path, *, whole: bool = True) -> None:
        for place, text in ((certificate, source.read_text()), (key, source.with_suffix(".key").read_text())):
            fresh = place.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(place)
            if not whole:
                return

    renew(first)
    given = {"ca_file": str(broker), "certificate_file": str(certificate), "key_file": str(key)}
    context = tls_context(access_of(read(security="tls", **given)))
    assert context is not None
    assert shake_hands(context, server) == ssl.PEM_cert_to_DER_cert(first.read_text())
    renew(second, whole=False)  # the key is yet to come
    assert shake_hands(context, server) == ssl.PEM_cert_to_DER_cert(first.read_text())
    renew(second)
    assert shake_hands(context, server) == ssl.PEM_cert_to_DER_cert(second.read_text())


def test_a_token_of_aws_is_an_address_signed_for_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing asks nobody. That Amazon's brokers take the token was not tried: there is none here."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of the test")
    settings = read(security="sasl_tls", sasl_mechanism="aws-iam", aws_region=REGION)
    aws_tokens.cache_clear()
    text, expires_at = librdkafka(settings)["oauth_cb"]("")
    address = urlparse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert (address.scheme, address.hostname) == ("https", f"kafka.{REGION}.amazonaws.com")
    assert asked["Action"] == "kafka-cluster:Connect"
    assert asked["X-Amz-Credential"].startswith("AKIDEXAMPLE/")
    assert asked["X-Amz-Credential"].endswith(f"/{REGION}/kafka-cluster/aws4_request")
    assert (asked["X-Amz-Expires"], len(asked["X-Amz-Signature"])) == ("900", 64)
    assert "a secret of the test" not in text + address.query
    options = aiokafka(settings)
    assert (options["sasl_mechanism"], options["security_protocol"]) == ("OAUTHBEARER", "SASL_SSL")
    assert aws_tokens(REGION).get().expires_at == expires_at
    assert isinstance(for_faust(settings), faust.auth.OAuthCredentials)


def test_a_token_of_aws_is_made_anew_before_it_ends() -> None:
    now, signed = [1_000.0], []

    def sign(region: str) -> tuple[str, int]:
        signed.append(region)
        return f"token {len(signed)}", int((now[0] + 900) * 1_000)

    tokens = AwsTokens(REGION, sign, lambda: now[0])
    assert tokens.get().text == tokens.get().text == "token 1"
    now[0] += 900 - FRESH_SECONDS
    assert tokens.get().text == "token 1"
    now[0] += 1
    assert tokens.get().text == "token 2"
    assert signed == [REGION, REGION]
    assert "token" not in repr(tokens.get()).removeprefix("Token(")


def test_without_an_identity_of_aws_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    aws_tokens.cache_clear()
    with pytest.raises(TokenError, match="AWS gives this process no identity to sign with"):
        aws_tokens("eu-west-1").get()


def test_settings_made_in_code_keep_their_password_to_themselves() -> None:
    settings = Settings(kafka_security="sasl_tls", kafka_username="u", kafka_password=SecretStr(PASSWORD))
    settings.check_kafka()
    assert PASSWORD not in f"{settings} {settings!r}"
    assert settings.password() == PASSWORD
