//! Settings as people write them, and what is said about wrong ones.

use notify::{Channels, Config};

use crate::support::{config, environment};
use crate::webhook::webhook;

fn parse(text: &str) -> Result<Config, String> {
    let table: toml::Table = text.parse().map_err(|it: toml::de::Error| it.message().to_owned())?;
    table["notify"].clone().try_into().map_err(|it: toml::de::Error| it.message().to_owned())
}

const DEFAULTS: &str = include_str!("../../../cli/default.toml");

#[test]
fn the_defaults_are_complete_and_send_nothing() {
    let config = parse(DEFAULTS).expect("settings");
    let channels = Channels::build(&config, &|_| None).expect("channels");
    assert_eq!(channels.iter().count(), 0);
}

#[test]
fn the_example_of_the_readme_is_taken() {
    let readme = include_str!("../../README.md");
    let example = readme.split("```toml").nth(1).and_then(|it| it.split("```").next()).expect("an example");
    let text = DEFAULTS.replace("channel    = []", "").to_owned() + example;
    let config = parse(&text).expect("settings");
    let channels = Channels::build(&config, &|_| Some("x".into())).expect("channels");
    let kinds: Vec<&str> = channels.iter().map(|it| it.name()).collect();
    assert_eq!(kinds, ["wecom", "wecom_group", "ding", "ding_group", "sms", "mail", "hotline"]);
}

#[test]
fn a_misspelt_setting_is_refused() {
    let cases = [
        (DEFAULTS.replace("timeout_ms", "timeout"), "unknown field `timeout`"),
        (DEFAULTS.replace("\"22:30\"", "\"25:00\""), "\"25:00\" is no time: write \"22:30\""),
        (DEFAULTS.replace("step_minutes = 5,", "steps = 5,"), "unknown field `steps`"),
        (DEFAULTS.replace("crisis_declared", "crisis"), "unknown field `crisis`"),
        (
            DEFAULTS.replace(
                "channel    = []",
                "channel = [{ kind = \"webhook\", name = \"x\", url = \"https://x\", secret = \"hunter2\" }]",
            ),
            "a secret itself never stands in the settings",
        ),
        (
            DEFAULTS.replace(
                "channel    = []",
                "channel = [{ kind = \"webhook\", name = \"x\", uri = \"https://x\", secret = { env = \"A\" } }]",
            ),
            "unknown field `uri`",
        ),
    ];
    for (text, expected) in cases {
        let said = parse(&text).expect_err(expected);
        assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn settings_that_cannot_be_say_which_and_what_would_do() {
    let hook = webhook("https://hotline.example.edu.cn/in", "WEBHOOK_SECRET");
    let cases = [
        (format!("{hook}{hook}"), "setting \"notify.channel.name\": there are two channels \"hook\""),
        (hook.replace("\"hook\"", "\"telephone\""), "and not \"telephone\""),
        (hook.replace("WEBHOOK_SECRET", "UNSET"), "notify.channel.hook.secret\": environment variable UNSET is not set"),
        (hook.replace("https:", "http:"), "setting \"notify.channel.hook.url\": must begin with https://"),
        (format!("timeout_ms = 1\n{hook}"), "setting \"notify.timeout_ms\": must be 100 to 60000, not 1"),
        (format!("ca_file = \"/nowhere/ca.pem\"\n{hook}"), "setting \"notify.ca_file\": could not read /nowhere/ca.pem"),
    ];
    for (text, expected) in cases {
        let said = Channels::build(&config(&text), &environment).expect_err(expected).to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn no_secret_is_printed_with_channels_or_settings() {
    let text = webhook("https://hotline.example.edu.cn/in", "WEBHOOK_SECRET")
        + "[[channel]]\nkind = \"smtp\"\nname = \"mail\"\nhost = \"localhost\"\nport = 25\ntls = \"starttls\"\n\
           from = \"a@b.cn\"\nuser = \"yizhan\"\npassword = { env = \"MAIL_PASSWORD\" }\n\
           [[channel]]\nkind = \"dingtalk_robot\"\nname = \"group\"\naccess_token = { env = \"DING_ROBOT_TOKEN\" }\n\
           secret = { env = \"DING_ROBOT_SECRET\" }\n";
    let config = config(&text);
    let printed = format!("{config:?} {:?}", Channels::build(&config, &environment).expect("channels"));
    for (name, value) in crate::support::ENVIRONMENT {
        assert!(!printed.contains(value), "{name}");
    }
    assert!(printed.contains("WEBHOOK_SECRET"), "its place is no secret");
}
