"""Made-up secrets, at least one for each rule; they are put together here, so that scanners do not report this file."""

from __future__ import annotations

MIXED = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6"
HEX = "0123456789abcdef" * 8
UPPER = "A2B3C4D5E6F7G2H3I4J5K6L7M2N3O4P5Q6R7S2T3U4V5W6X7Y2Z3" * 2
KEY_HEAD = "-----BEGIN RSA PRIVATE " + "KEY-----"

EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "anthropic-key": [("key is {}", f"sk-ant-api03-{MIXED}")],
    "openai-key": [("{}", f"sk-proj-{MIXED}"), ("x={}", f"sk-{MIXED[:40]}")],
    "google-key": [("url?key={}", f"AIza{MIXED[:35]}")],
    "google-oauth": [("{}", f"ya29.{MIXED}"), ("{}", f"GOCSPX-{MIXED[:28]}")],
    "hugging-face-token": [("{}", "hf_" + "abcDEFghiJKLmnoPQRstuVWXyzABcdEFgh")],
    "model-provider-key": [("{}", f"gsk_{MIXED}"), ("{}", f"r8_{MIXED[:37]}")],
    "github-token": [
        ("git clone https://{}@github.com/a/b", f"ghp_{MIXED[:36]}"),
        ("{}", f"github_pat_{MIXED}"),
    ],
    "gitlab-token": [("{}", f"glpat-{MIXED[:20]}")],
    "atlassian-token": [("{}", f"ATATT3{MIXED}")],
    "package-registry-token": [("//registry.npmjs.org/:_authToken={}", f"npm_{MIXED[:36]}")],
    "aws-access-key": [("aws configure set id {}", f"AKIA{UPPER[:16]}")],
    "azure-secret": [("AccountKey={};Endpoint", f"{MIXED}{MIXED[:32]}==")],
    "digitalocean-token": [("{}", f"dop_v1_{HEX[:64]}")],
    "cloud-token": [("{}", f"dapi{HEX[:32]}"), ("{}", f"tskey-auth-{MIXED}")],
    "infrastructure-token": [("{}", f"hvs.{MIXED}"), ("{}", f"{MIXED[:14]}.atlasv1.{MIXED}{MIXED}")],
    "slack-token": [
        ("{}", f"xoxb-123456789012-{MIXED[:24]}"),
        ("https://hooks.slack.com/services/{}", f"T00000000/B00000000/{MIXED[:24]}"),
    ],
    "discord-token": [("https://discord.com/api/webhooks/123456789012345678/{}", f"{MIXED}_{MIXED[:15]}")],
    "telegram-token": [("https://api.telegram.org/bot{}/getMe", f"123456789:AA{MIXED[:33]}")],
    "twilio-key": [("twilio login {}", f"SK{HEX[:32]}")],
    "mail-key": [("{}", f"SG.{MIXED[:22]}.{MIXED[:43]}")],
    "mailchimp-key": [("{}", f"{HEX[:32]}-us12")],
    "stripe-key": [("{}", f"sk_live_{MIXED[:24]}")],
    "shop-token": [("{}", f"shpat_{HEX[:32]}")],
    "work-tool-token": [("{}", f"lin_api_{MIXED[:40]}"), ("{}", f"ntn_{MIXED[:46]}")],
    "monitoring-key": [("{}", f"glsa_{MIXED[:32]}_{HEX[:8]}")],
    "mission-control-token": [("{}", f"mc_{MIXED[:43]}")],
    "private-key": [
        (
            "before\n{}\nafter, which stays",
            f"{KEY_HEAD}\nMIIE{MIXED}\n{MIXED}\n-----END RSA PRIVATE KEY-----",
        ),
        ('{{"key": "{}', f"{KEY_HEAD}\\nMIIE{MIXED}\\n{MIXED}"),
    ],
    "json-web-token": [("{}", f"eyJhbGciOiJIUzI1NiJ9.eyJ{MIXED}.{MIXED}")],
    "password-in-url": [
        ("postgres://app:{}@db.internal/main", "hunter2"),
        ("amqp://user:{}@[::1]", "s3cret!"),
    ],
    "authorization": [
        ("curl -H 'Authorization: Bearer {}'", MIXED[:24]),
        ('{{"Authorization":"Basic {}"}}', "dXNlcjpodW50ZXIy"),
        ("sent as bearer {} again", MIXED[:24]),
    ],
    "cookie": [("Cookie: {}", f"session={MIXED}; theme=dark")],
    "password-of-database-client": [
        ("mysql -u root -p{} shop", "hunter2"),
        ("mysqldump --host=db -uroot -p'{}' shop > dump.sql", "hunter2"),
        ('mysql -p"{}"', "12345"),
        ("mariadb-admin -p{} ping", "s3cret!"),
        (r'{{"command":"mysql -p\"{}\""}}', "hunter2"),
        ("sshpass -p{} ssh db", "hunter2"),
    ],
    "password-of-curl": [("curl -u admin:{} https://example.com", "hunter2")],
    "named": [
        ("export DB_PASSWORD={}", "hunter2"),
        ("GITHUB_TOKEN={} make release", "abc123def"),
        ('"password": "{}"', "correct-horse"),
        (r"{{\"api_key\": \"{}\"}}", MIXED[:20]),
        ("apiKey: '{}',", MIXED[:20]),
        ("mysql --password={} -e 'select 1'", "hunter2"),
        ("deploy --token {} --all", "a1b2c3d4"),
        ("aws_secret_access_key = {}", MIXED[:40]),
        ("os.environ['API_SECRET'] = '{}'", MIXED[:20]),
        ("client_secret := `{}`", MIXED[:20]),
    ],
}

HARMLESS = (
    "mysql -u root -p shop",
    "mysql -P3306 -h db; find . -print",
    "apt install mysql-server && mkdir -parents x",
    "mysql -p$PASSWORD",
    "token: string",
    "password: str | None = None",
    "MAX_TOKENS=4096",
    "max_tokens: 200000",
    "tokens = usage.cache_write_1h_tokens",
    "the token bucket has 12 tokens: enough for 3 requests",
    "secret = os.environ['SECRET']",
    "api_key=$API_KEY",
    'password: "${PASSWORD}"',
    "TOKEN=<your token>",
    "password = getpass.getpass()",
    "PWD=/home/agent/work",
    "key = lambda item: item.created",
    '{"password": "must have at least 12 characters"}',
    "class sk-loading-spinner-container",
    "git log --oneline 0123456789abcdef0123456789abcdef01234567",
    "d41d8cd98f00b204e9800998ecf8427e",
    "see https://example.com:8080/a@b",
    "docker run -u 1000:1000 image",
    "path/to/some/file-with-a-rather-long-name-0123.txt",
    "SECRET_FILE=/run/secrets/db",
)
