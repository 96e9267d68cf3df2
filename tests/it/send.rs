//! The example `send`, which sends events to the other examples.

use std::process::{Output, Stdio};

use crate::common::example::{Example, START, cargo_run};
use crate::common::{SEED, TOKEN, forged};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;
use tower_bitrix24::EventKind;

fn send(args: &[&str]) -> Command {
    let mut command = cargo_run("send");
    command.args(["--features", "testing", "--"]).args(args);
    command
}

struct Sent {
    code: Option<i32>,
    out: String,
    error: String,
}

async fn finish(mut command: Command) -> Sent {
    let output = timeout(START, command.output()).await.unwrap().unwrap();
    sent(output)
}

fn sent(output: Output) -> Sent {
    Sent {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends an event to an example, with its token.
async fn fire(example: &Example, args: &[&str]) -> Sent {
    let url = format!("{}/bitrix24/events", example.address);
    finish(send(&[&["--url", &url, "--token", TOKEN], args].concat())).await
}

fn inspected(sent: &Sent) -> Value {
    assert_eq!(sent.code, Some(0), "{}{}", sent.out, sent.error);
    let (printed, json) = sent.out.split_once('\n').unwrap();
    assert!(printed.contains(": 200 OK in "), "{printed}");
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn send_example_sends_robots_pages_messages_and_settings() {
    let inspect = Example::start("inspect", TOKEN).await;
    for (args, callback, code) in [
        (&["--robot"][..], "robot", "robot"),
        (
            &["--robot=ship", "--set", "properties[weight]=2"],
            "robot",
            "ship",
        ),
        (&["--placement"], "placement", "DEFAULT"),
        (
            &["--placement=LEFT_MENU", "--member-id", "a"],
            "placement",
            "LEFT_MENU",
        ),
        (&["--sms=provider"], "message", "provider"),
        (&["--settings"], "settings", "OnAppSettingsInstall"),
    ] {
        let inspection = inspected(&fire(&inspect, args).await);
        assert_eq!(inspection["callback"], callback, "{args:?}");
        let typed = &inspection["typed"];
        let codes = [&typed["code"], &typed["placement"], &typed["action"]];
        assert!(codes.contains(&&json!(code)), "{args:?} {typed}");
    }
    for args in [
        &["--robot", "--sms"][..],
        &["--sms", "ONTASKADD"],
        &["--sms", "--id", "7"],
    ] {
        assert_eq!(fire(&inspect, args).await.code, Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn send_example_fires_an_event_at_an_application() {
    let mut axum = Example::start("axum", TOKEN).await;
    let sent = fire(&axum, &["--token", "guess", "ONCRMREQUISITEADD"]).await;
    assert_eq!(sent.code, Some(2), "a token is given once");

    let url = format!("{}/bitrix24/events", axum.address);
    let forged = ["ONCRMREQUISITEADD", "--token", "guess", "--url", &url];
    let sent = finish(send(&forged)).await;
    assert_eq!(sent.code, Some(1));
    assert!(sent.out.contains(": 403 Forbidden in "), "{}", sent.out);
    assert!(
        sent.out.contains("the application token is not accepted"),
        "{}",
        sent.out
    );

    // The token may be in the environment, with others after it.
    let mut command = send(&["ONCRMREQUISITEADD", "--id", "27", "--url", &url]);
    command.env("BITRIX24_APPLICATION_TOKEN", format!(" {TOKEN} ,other"));
    let sent = finish(command).await;
    assert_eq!(sent.code, Some(0), "{}", sent.error);
    let said = format!("ONCRMREQUISITEADD to {url}: 200 OK in ");
    assert!(sent.out.starts_with(&said), "{}", sent.out);
    assert_eq!(
        axum.line().await,
        "CrmRequisiteAdd: requisite 27 on some-domain.bitrix24.com"
    );

    let sent = fire(
        &axum,
        &["OnCrmRequisiteAdd", "--burst", "30", "--concurrency", "4"],
    )
    .await;
    assert_eq!(sent.code, Some(0), "{}", sent.error);
    for part in [
        "4 at once",
        "responses      30 in ",
        "200 OK         30",
        "median",
        "p99",
    ] {
        assert!(sent.out.contains(part), "{part}: {}", sent.out);
    }
    for _ in 0..30 {
        assert!(axum.line().await.starts_with("CrmRequisiteAdd: "));
    }

    let sent = finish(send(&[&forged[..], &["--burst", "3"]].concat())).await;
    assert_eq!(sent.code, Some(1));
    assert!(sent.out.contains("403 Forbidden  3"), "{}", sent.out);
}

#[tokio::test]
async fn send_example_sends_the_set_values() {
    let inspect = Example::start("inspect", TOKEN).await;
    let inspection = inspected(
        &fire(
            &inspect,
            &[
                "oncrmdealadd",
                "--id=5",
                "--set=FIELDS[ID]=27",
                "--set=data[FIELDS][TITLE]=Tea = cake",
                "--portal=acme.bitrix24.eu",
                "--member-id=m1",
                "--handler-id=9",
            ],
        )
        .await,
    );
    assert_eq!(inspection["event"], "ONCRMDEALADD");
    assert_eq!(inspection["typed"], json!({"ID": 27}));
    assert_eq!(
        inspection["data"],
        json!({"FIELDS": {"ID": "27", "TITLE": "Tea = cake"}})
    );
    assert_eq!(inspection["auth"]["domain"], "acme.bitrix24.eu");
    assert_eq!(inspection["auth"]["member_id"], "m1");
    assert_eq!(inspection["auth"]["access_token"], "[redacted]");
    assert_eq!(inspection["handler_id"], 9);

    for flavour in ["--webhook", "--robot"] {
        let inspection = inspected(&fire(&inspect, &["ONTASKADD", flavour]).await);
        assert_eq!(inspection["kind"], "TaskAdd");
        assert_eq!(inspection["auth"]["access_token"], Value::Null);
        assert_eq!(inspection["mismatch"], Value::Null);
    }

    let inspection = inspected(&fire(&inspect, &["ONCRMDYNAMICITEMADD_147"]).await);
    assert_eq!(inspection["typed"]["ENTITY_TYPE_ID"], 147);
    let inspection = inspected(&fire(&inspect, &["ONSOMETHINGNEW", "--undocumented"]).await);
    assert_eq!(
        (&inspection["event"], &inspection["kind"]),
        (&json!("ONSOMETHINGNEW"), &Value::Null)
    );

    // A captured body is sent unchanged.
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/captured");
    std::fs::write(file, format!("{SEED}\n")).unwrap();
    let inspection = inspected(&fire(&inspect, &["--replay", file]).await);
    assert_eq!(inspection["ts"], 1_466_439_714);

    let url = format!("{}/bitrix24/events", inspect.address);
    let mut replay = send(&["--replay", "-", "--url", &url]);
    let mut child = replay.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(forged().as_bytes()).await.unwrap();
    drop(stdin);
    let rejected = sent(
        timeout(START, child.wait_with_output())
            .await
            .unwrap()
            .unwrap(),
    );
    assert_eq!(rejected.code, Some(1), "{}", rejected.error);
    assert!(
        rejected.out.starts_with("ONCRMREQUISITEADD to "),
        "{}",
        rejected.out
    );
}

#[tokio::test]
async fn send_example_prints_the_form_instead_of_sending() {
    let args = [
        "ONCRMREQUISITEADD",
        "--id=27",
        "--webhook",
        "--token",
        TOKEN,
        "--print",
    ];
    let sent = finish(send(&args)).await;
    assert_eq!(sent.code, Some(0));
    assert!(
        sent.out.starts_with(
            "event=ONCRMREQUISITEADD&event_handler_id=1&data%5BFIELDS%5D%5BID%5D=27&ts="
        ),
        "{}",
        sent.out
    );
    assert!(
        sent.out
            .ends_with(&format!("&auth%5Bapplication_token%5D={TOKEN}\n"))
    );
}

#[tokio::test]
async fn send_example_lists_every_event() {
    let sent = finish(send(&["--list"])).await;
    assert_eq!(sent.code, Some(0));
    let mut lines: Vec<&str> = sent.out.lines().collect();
    for kind in EventKind::ALL {
        let mark = if kind.is_deprecated() {
            " (deprecated)"
        } else {
            ""
        };
        let line = format!("  {}{mark}", kind.documented_name());
        assert!(lines.contains(&line.as_str()), "{line}");
        lines.retain(|other| *other != line);
    }
    // The rest are the scopes, once each and without colors.
    assert_eq!(lines[..3], ["basic", "user", "crm"]);
    let mut scopes: Vec<_> = EventKind::ALL.iter().map(|kind| kind.scope()).collect();
    scopes.dedup();
    assert_eq!(lines, scopes);

    let sent = finish(send(&["--list", "ImV2Join"])).await;
    assert_eq!(sent.out, "im\n  ONIMV2JOINCHAT\n");
}

#[tokio::test]
async fn send_example_explains_invalid_arguments() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", unused.local_addr().unwrap());
    drop(unused);
    for (args, says) in [
        (&["ONCRMDEALAD", "--token=x"][..], "Nearest: onCrmDealAdd, "),
        (
            &["ONCRMDEALADD"],
            "set that of the application with --token or BITRIX24_APPLICATION_TOKEN",
        ),
        (&["ONAPPTEST", "--id=1", "--token=x"], "ONAPPTEST has no id"),
        (
            &["ONAPPTEST", "--token=x", "--url", &nobody],
            "Connection refused",
        ),
        (
            &["ONAPPTEST", "--token=x", "--burst=2", "--url", &nobody],
            "Is the application running",
        ),
        (
            &["ONAPPTEST", "--token=x", "--url=https://localhost/"],
            "https is not supported",
        ),
        (
            &["ONAPPTEST", "--token=x", "--set=A[B=1"],
            "A[B is not a path",
        ),
        (&["ONAPPTEST", "--token=x", "--set=A"], "the value has no ="),
        (&["--replay=/no/such/file"], "/no/such/file: No such file"),
        (&["ONAPPTEST", "--burst=0"], "at least 1"),
        (&[], "required arguments were not provided"),
    ] {
        let sent = finish(send(args)).await;
        assert_eq!(sent.code, Some(2), "{args:?} {}", sent.out);
        assert!(sent.error.contains(says), "{args:?}: {}", sent.error);
    }
}
