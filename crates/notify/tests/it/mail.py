"""A mail server (aiosmtpd) on a free port of this machine.

Arguments: folder, then one of `plain`, `starttls`, `tls`. Prints its port and serves until its input ends. Mails are lines of
JSON in `<folder>/mails.jsonl`; the authority of its certificate is `<folder>/authority.pem`.
STARTTLS and TLS want the login `yizhan` / `mail-secret-1`.
Recipients behave by name: `unknown@` is refused with 550, `later@` once with 451 and then taken, `slow@` answers after 3 s.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

# Clients that hang up are what some tests are about.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")

folder, mode = sys.argv[1], sys.argv[2]
seen = set()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "unknown":
            return f"550 5.1.1 <{address}>: no such user mail-secret-1"
        if name == "later" and name not in seen:
            seen.add(name)
            return "451 4.7.1 Greylisted, try again later"
        if name == "slow":
            await asyncio.sleep(3)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["Subject"],
            "sender": str(mail["From"]),
            "message_id": mail["Message-ID"],
            "auto_submitted": mail["Auto-Submitted"],
            "text": mail.get_content(),
            "encrypted": session.ssl is not None or mode == "tls",
            "login": bool(session.authenticated),
        }
        with open(f"{folder}/mails.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"yizhan", b"mail-secret-1")
    return AuthResult(success=is_right, handled=is_right)


async def main():
    authority = trustme.CA()
    authority.cert_pem.write_to_path(f"{folder}/authority.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def protocol():
        options = {"enable_SMTPUTF8": True, "loop": asyncio.get_running_loop()}
        if mode == "starttls":
            options |= {"tls_context": context, "require_starttls": True, "authenticator": authenticate, "auth_required": True}
        if mode == "tls":
            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
        return SMTP(Handler(), **options)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
