//! The rooms of the crate together: escalation that really sends, and the monthly rehearsal.

use notify::drill::{self, Officer};
use notify::escalate::{self, Action, Person, Route, Situation};
use notify::{Address, AddressKind, Addresses, Delivery, Language, Message, Receipts, Severity, StaffKey, State};

use crate::support::{Server, channels, config, message};
use crate::webhook::webhook;

fn wecom_and_hook(server: &Server) -> String {
    let hook = webhook(&format!("{}/hook", server.url()), "WEBHOOK_SECRET");
    format!(
        "[[channel]]\nkind = \"wecom_app\"\nname = \"wecom\"\napi = \"{}\"\ncorp_id = \"ww1234567890abcdef\"\n\
         agent_id = 1000002\nsecret = {{ env = \"WECOM_SECRET\" }}\n{hook}",
        server.url()
    )
}

fn wecom(user: &str) -> Addresses {
    Addresses::new().with(Address::new(AddressKind::WeComUser, user).expect("an address"))
}

#[tokio::test]
async fn a_message_climbs_until_somebody_takes_it_on() {
    let server = Server::vendors();
    let text = wecom_and_hook(&server);
    let (channels, config) = (channels(&text), config(&text));
    // The first is unknown to WeCom; nobody answers by webhook; the deputy does.
    let addresses = |key: StaffKey| if key == StaffKey(1) { wecom("nobody") } else { wecom("lisi") };
    let person = |key| Person { staff_key: StaffKey(key), channels: channels.names_for(&addresses(StaffKey(key))) };
    let route = Route { levels: vec![vec![person(1), person(2)]], duty_officers: vec![person(9)] };
    let message = Message { severity: Some(Severity::THREE), recipient: StaffKey(1), ..message(77) };
    let mut deliveries: Vec<Delivery> = Vec::new();
    let mut now_us = 0;
    let mut told = Vec::new();
    let taken_by = loop {
        let situation = Situation {
            message: &message,
            deliveries: &deliveries,
            route: &route,
            escalation: &config.escalation,
            zone_minutes: 480,
        };
        match escalate::next(&situation, now_us) {
            Action::Send { to, channel, level, .. } => {
                let mut delivery = Delivery::new(message.message_id, to, channel.clone(), level, now_us);
                let sent = channels.send(&channel, &message, to, Language::Zh, &addresses(to)).await;
                delivery.advance(if sent.is_ok() { State::Sent } else { State::Failed }, now_us);
                if to == StaffKey(2) {
                    delivery.advance(State::Acknowledged, now_us + 1);
                }
                told.push(format!("{} {to} {channel} {:?}", now_us / 60_000_000, delivery.state()));
                deliveries.push(delivery);
            }
            Action::Wait { until_us, .. } => now_us = until_us,
            Action::Done { by } => break by,
            other => panic!("{other:?} after {told:?}"),
        }
    };
    assert_eq!(told, ["0 1 wecom Failed", "0 1 hook Sent", "120 2 wecom Acknowledged"]);
    assert_eq!(taken_by, Some(StaffKey(2)));
    let to: Vec<String> = server.shown().await.into_iter().map(|it| it.0).collect();
    assert_eq!(to, ["1", "lisi"]);
}

#[tokio::test]
async fn a_rehearsal_tries_every_channel_and_says_which_is_broken() {
    let server = Server::vendors();
    let unreachable = "[[channel]]\nkind = \"smtp\"\nname = \"mail\"\nhost = \"localhost\"\nport = 1\ntls = \"none\"\n\
                       from = \"a@b.cn\"\n";
    let sms = "[[channel]]\nkind = \"sms\"\nname = \"sms\"\nmethod = \"GET\"\nurl = \"https://sms.example/?m={mobile}&t={text}\"\n\
               body_format = \"form\"\nbody = \"\"\nsuccess_status = 200\nsuccess_pointer = \"\"\nsuccess_value = \"\"\n";
    let channels = channels(&format!("{}{unreachable}{sms}", wecom_and_hook(&server)));
    let officer = |key, user: &str| {
        let addresses = wecom(user).with(Address::new(AddressKind::Email, "duty@example.edu.cn").expect("an address"));
        Officer { staff_key: StaffKey(key), language: Language::Zh, addresses }
    };

    let mut attempts = drill::run(&channels, &[officer(1, "zhangsan"), officer(2, "nobody")], 5).await;

    // One of them opens the link and confirms.
    let opened_us = attempts[0].delivery.created_us() + 30_000_000;
    attempts[0].delivery.advance(State::Read, opened_us);
    attempts[0].delivery.advance(State::Acknowledged, opened_us + 5_000_000);
    let names: Vec<(String, Receipts)> = channels.iter().map(|it| (it.name().to_owned(), Receipts::None)).collect();
    let report = drill::report(5, &names, &attempts);
    let row = |name: &str| report.channels.iter().find(|it| it.channel == name).expect("a row");
    let counts = |name| (row(name).officers_n, row(name).sent_n, row(name).acknowledged_n, row(name).is_broken);
    assert_eq!(counts("wecom"), (2, 1, 1, true));
    assert_eq!(counts("hook"), (2, 2, 0, false));
    assert_eq!(counts("mail"), (2, 0, 0, true));
    assert_eq!(counts("sms"), (0, 0, 0, true));
    assert_eq!((row("wecom").delivered_seconds, row("wecom").acknowledged_seconds), (Some(30.0), Some(35.0)));
    assert!(row("mail").failed[0].words.zh.contains("无法连接 localhost:1"), "{:?}", row("mail"));
    assert!(row("wecom").failed[0].words.en.contains("does not know the recipient"), "{:?}", row("wecom"));
    let said = "这是每月一次的通知演练，不涉及任何人。请登录确认收到。 https://one.example.edu.cn/notices/5";
    assert!(server.shown().await.iter().all(|it| it.1 == said));
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["channels"][0]["failed"][0]["to"], "2");
}
