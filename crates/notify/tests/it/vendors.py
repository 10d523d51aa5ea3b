"""HTTP servers of WeCom, DingTalk, an SMS gateway and a school's own system, as their documents describe them.

Prints its port, then serves until its input ends. Every request is looked at field by field; what is wrong is counted and
answered like the vendor does. `GET /_told` says what came in, `POST /_set` changes how the vendors behave.
With a folder as argument it serves HTTPS by a certificate of an authority made for this run, `<folder>/authority.pem`.
Nothing here is shared with the Rust side: signatures are computed anew, from the documents.
"""

import base64
import email.utils
import hashlib
import hmac
import json
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CORP_ID, CORP_SECRET, AGENT_ID = "ww1234567890abcdef", "wecom-secret-1", 1000002
ROBOT_KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
APP_KEY, APP_SECRET = "dingappkey1", "ding-secret-1"
DING_TOKEN, DING_SIGN = "ding-robot-token-1", "SECding-sign-1"
SMS_SECRET, WEBHOOK_SECRET = "sms-secret/1+&", "webhook-secret-1"
MEMBERS = {"zhangsan", "lisi"}

lock = threading.Lock()
told = {"requests": [], "faults": [], "shown": []}
state = {"token_no": 0, "spent": [], "busy": 0, "retry_after": "1", "down": 0, "slow_s": 0.0, "errcode": {}, "expires_in": 7200,
         "cut": 0, "redirect": 0, "slow_but_shown": 0, "wrap_88": 0, "padding": 0}


def fault(text):
    told["faults"].append(text)
    return text


def expect(condition, text):
    if not condition:
        fault(text)
    return condition


class Vendor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=()):
        payload = json.dumps(body).encode() if not isinstance(body, bytes) else body
        payload = b" " * state["padding"] + payload
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    do_PUT = do_POST

    def serve(self, body):
        try:
            self.route(body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def route(self, body):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        if url.path == "/_told":
            return self.answer(told)
        if url.path == "/_set":
            state.update(json.loads(body))
            return self.answer({})
        with lock:
            told["requests"].append(f"{self.command} {url.path}")
            # Of the vendors' trouble, before anything is looked at.
            if state["busy"] > 0:
                state["busy"] -= 1
                wait = state["retry_after"]
                if wait == "date":
                    wait = email.utils.formatdate(time.time() + 2, usegmt=True)
                return self.answer({"message": "slow down"}, 429, [("Retry-After", wait)])
            if state["down"] > 0:
                state["down"] -= 1
                return self.answer({}, 502)
            if state["redirect"] > 0:
                state["redirect"] -= 1
                return self.answer({}, 302, [("Location", "/elsewhere")])
            if state["cut"] > 0:
                state["cut"] -= 1
                self.close_connection = True
                return None
        if state["slow_s"]:
            time.sleep(state["slow_s"])
        with lock:
            slow = state["slow_but_shown"] > 0
            state["slow_but_shown"] -= slow
        vendor = getattr(self, "at" + url.path.replace("/", "_").replace("-", "_"), None)
        if vendor is None:
            fault(f"nobody listens at {url.path}")
            return self.answer({}, 404)
        with lock:
            reply = vendor(query, body)
        if slow:
            # It arrived, but the sender does not learn of it in time.
            time.sleep(1.5)
        return self.answer(*reply) if isinstance(reply, tuple) else self.answer(reply)

    # What two vendors share.

    def json_body(self, body):
        expect(self.headers.get("Content-Type", "").startswith("application/json"), "the body is not called JSON")
        return json.loads(body.decode("utf-8"))

    def token(self):
        state["token_no"] += 1
        return f"token-{state['token_no']}"

    def token_code(self, query):
        token = query.get("access_token", "")
        if token in state["spent"]:
            return state["spent_code"]
        return 0 if token == f"token-{state['token_no']}" else 40014

    def show(self, who, text, key=None):
        if key is None or key not in [it.get("key") for it in told["shown"]]:
            told["shown"].append({"to": who, "text": text, "key": key})

    # 企业微信: 获取access_token, 发送应用消息, 群机器人.

    def at_cgi_bin_gettoken(self, query, _):
        expect(self.command == "GET", "gettoken is a GET")
        expect(set(query) == {"corpid", "corpsecret"}, f"gettoken with {sorted(query)}")
        if query.get("corpid") != CORP_ID:
            return {"errcode": 40013, "errmsg": f"invalid corpid, {query}"}
        if query.get("corpsecret") != CORP_SECRET:
            return {"errcode": 40001, "errmsg": f"invalid credential {query}"}
        return {"errcode": 0, "errmsg": "ok", "access_token": self.token(), "expires_in": state["expires_in"]}

    def at_cgi_bin_message_send(self, query, body):
        expect(self.command == "POST" and set(query) == {"access_token"}, "message/send is a POST with a token")
        code = self.token_code(query) or state["errcode"].pop("send", 0)
        if code:
            return {"errcode": code, "errmsg": f"refused {self.path}"}
        sent = self.json_body(body)
        card = sent.get("textcard", {})
        ok = expect(sent.get("msgtype") == "textcard", "msgtype is not textcard")
        ok &= expect(sent.get("agentid") == AGENT_ID and isinstance(sent["agentid"], int), "agentid is not the number")
        ok &= expect(set(card) <= {"title", "description", "url", "btntxt"}, f"textcard with {sorted(card)}")
        ok &= expect(all(card.get(it) for it in ("title", "description", "url")), "textcard lacks a field")
        ok &= expect(len(card.get("title", "")) <= 128 and len(card.get("description", "").encode()) <= 512, "too long")
        ok &= expect(len(card.get("btntxt", "")) <= 4, "btntxt has more than four characters")
        ok &= expect(sent.get("enable_duplicate_check") == 1, "no duplicate check")
        ok &= expect(0 < sent.get("duplicate_check_interval", 0) <= 4 * 3600, "duplicate_check_interval beyond 4 hours")
        ok &= expect("|" not in sent.get("touser", "|"), "more than one recipient")
        if not ok:
            return {"errcode": 40035, "errmsg": "invalid parameter"}
        user = sent["touser"].lower()
        if user == "nobody":
            return {"errcode": 81013, "errmsg": "user & party & tag all invalid"}
        if user not in MEMBERS:
            return {"errcode": 0, "errmsg": "ok", "invaliduser": user, "msgid": "m0"}
        self.show(user, card["description"] + " " + card["url"], key=body.decode())
        return {"errcode": 0, "errmsg": "ok", "invaliduser": "", "msgid": f"m{len(told['shown'])}"}

    def at_cgi_bin_webhook_send(self, query, body):
        if query != {"key": ROBOT_KEY}:
            return {"errcode": 93000, "errmsg": f"invalid webhook url, {self.path}"}
        if code := state["errcode"].pop("robot", 0):
            return {"errcode": code, "errmsg": "freq out of limit"}
        sent = self.json_body(body)
        ok = expect(sent.get("msgtype") == "text" and set(sent) == {"msgtype", "text"}, f"robot message {sorted(sent)}")
        ok &= expect(0 < len(sent["text"]["content"].encode()) <= 2048, "text beyond 2048 bytes")
        if ok:
            self.show("group", sent["text"]["content"])
        return {"errcode": 0 if ok else 40035, "errmsg": "ok"}

    # 钉钉: 获取企业内部应用的access_token, 发送工作通知, 自定义机器人.

    def at_gettoken(self, query, _):
        expect(self.command == "GET" and set(query) == {"appkey", "appsecret"}, f"gettoken with {sorted(query)}")
        if (query.get("appkey"), query.get("appsecret")) != (APP_KEY, APP_SECRET):
            return {"errcode": 40089, "errmsg": f"不合法的corpid或corpsecret {query}"}
        return {"errcode": 0, "errmsg": "ok", "access_token": self.token(), "expires_in": state["expires_in"]}

    def at_topapi_message_corpconversation_asyncsend_v2(self, query, body):
        expect(self.command == "POST" and set(query) == {"access_token"}, "asyncsend_v2 is a POST with a token")
        code = self.token_code(query) or state["errcode"].pop("work", 0)
        if code:
            if state["wrap_88"]:
                return {"errcode": 88, "sub_code": str(code), "errmsg": "ding talk error", "sub_msg": self.path}
            return {"errcode": code, "errmsg": f"refused {self.path}"}
        sent = self.json_body(body)
        card = sent.get("msg", {}).get("action_card", {})
        ok = expect(sent.get("msg", {}).get("msgtype") == "action_card", "msgtype is not action_card")
        ok &= expect(sent.get("agent_id") == AGENT_ID and sent.get("to_all_user") is False, "agent_id or to_all_user")
        ok &= expect(set(card) == {"title", "markdown", "single_title", "single_url"}, f"action_card with {sorted(card)}")
        ok &= expect(len(json.dumps(sent["msg"], ensure_ascii=False).encode()) <= 2048, "msg beyond 2048 bytes")
        ok &= expect(isinstance(sent.get("userid_list"), str) and "," not in sent["userid_list"], "userid_list is not one")
        if not ok:
            return {"errcode": 40035, "errmsg": "不合法的参数"}
        if sent["userid_list"] not in MEMBERS:
            return {"errcode": 33012, "errmsg": f"无效的USERID {sent['userid_list']}"}
        self.show(sent["userid_list"], card["markdown"] + " " + card["single_url"], key=body.decode())
        return {"errcode": 0, "errmsg": "ok", "task_id": 256271667526, "request_id": "4jzllmte0wau"}

    def at_robot_send(self, query, body):
        if query.get("access_token") != DING_TOKEN:
            return {"errcode": 300001, "errmsg": "token is not exist"}
        timestamp = query.get("timestamp", "0")
        if abs(time.time() * 1000 - int(timestamp)) > 3600_000:
            return {"errcode": 310000, "errmsg": "invalid timestamp"}
        text = f"{timestamp}\n{DING_SIGN}".encode()
        sign = base64.b64encode(hmac.new(DING_SIGN.encode(), text, hashlib.sha256).digest())
        # As it stood on the wire: a plus that was not escaped would have become a space.
        raw = dict(it.split("=", 1) for it in urllib.parse.urlsplit(self.path).query.split("&"))
        if urllib.parse.unquote_plus(raw["sign"]).encode() != sign:
            return {"errcode": 310000, "errmsg": f"sign not match {self.path}"}
        if code := state["errcode"].pop("robot", 0):
            return {"errcode": code, "errmsg": "send too fast"}
        sent = self.json_body(body)
        ok = expect(sent.get("msgtype") == "text" and sent.get("at", {}).get("isAtAll") is False, f"robot message {sent}")
        if ok:
            self.show("group", sent["text"]["content"])
        return {"errcode": 0 if ok else 400101, "errmsg": "ok"}

    # 短信网关, one that takes JSON and one that takes a form.

    def at_sms_json(self, _, body):
        if self.headers.get("Authorization") != f"Bearer {SMS_SECRET}":
            return {"message": f"who are you, {self.headers.get('Authorization')}"}, 401
        sent = self.json_body(body)
        expect(set(sent) == {"to", "content", "sign"}, f"SMS with {sorted(sent)}")
        if sent["to"] == "+8613900000000":
            return {"result": {"code": 1012}, "message": f"blocked {sent['to']}"}
        self.show(sent["to"], sent["content"])
        return {"result": {"code": 0, "id": 778899}}

    def at_sms_form(self, query, body):
        expect(self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"), "the body is not called a form")
        sent = dict(urllib.parse.parse_qsl(body.decode("ascii"), strict_parsing=True))
        if sent.get("key") != SMS_SECRET:
            return b"no", 403
        self.show(sent["mobile"], sent["msg"])
        return b"accepted", 202

    # A school's own system, which drops what it has seen.

    def at_hook(self, _, body):
        timestamp = self.headers.get("X-Yizhan-Timestamp", "0")
        if abs(time.time() - int(timestamp)) > 300:
            return {"message": "too old"}, 401
        signed = timestamp.encode() + b"." + body
        expected = "sha256=" + hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, self.headers.get("X-Yizhan-Signature", "")):
            return {"message": f"bad signature, wanted {expected}"}, 401
        sent = self.json_body(body)
        fields = {"message_id", "staff_key", "language", "title", "text", "link"}
        expect(set(sent) == fields, f"webhook with {sorted(sent)}")
        key = self.headers.get("Idempotency-Key")
        expect(bool(key), "no Idempotency-Key")
        self.show(sent["staff_key"], sent["text"] + " " + sent["link"], key=key)
        return {}, 200


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    server.daemon_threads = True
    if len(sys.argv) > 1:
        import trustme

        authority = trustme.CA()
        authority.cert_pem.write_to_path(f"{sys.argv[1]}/authority.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    # The test holds the other end: when it ends, however it ends, so do we.
    sys.stdin.read()


main()
