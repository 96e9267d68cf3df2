//! `Example`: an example, started as a user starts it.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::client::{HttpClient, text};

/// Building an example may have to wait for another build.
pub(crate) const START: Duration = Duration::from_secs(300);
const RESPONSE: Duration = Duration::from_secs(10);

pub(crate) fn cargo_run(example: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args([
            "run",
            "--quiet",
            "-p",
            "tower-bitrix24",
            "--example",
            example,
        ])
        .env("BIND", "127.0.0.1:0")
        .env_remove("BITRIX24_APPLICATION_TOKEN")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) struct Example {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) address: String,
    client: HttpClient,
}

impl Example {
    pub(crate) async fn start(name: &str, tokens: &str) -> Self {
        Self::start_with(name, tokens, &[]).await
    }

    /// Starts an example with further environment variables.
    pub(crate) async fn start_with(name: &str, tokens: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = cargo_run(name)
            .env("BITRIX24_APPLICATION_TOKEN", tokens)
            .envs(variables.iter().copied())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = timeout(START, lines.next_line())
            .await
            .expect("the example starts")
            .unwrap();
        let ready = ready.expect("the example says where it listens");
        let address = ready.strip_prefix("listening on ").unwrap().to_owned();
        Self {
            _child: child,
            lines,
            address,
            client: HttpClient::new(),
        }
    }

    pub(crate) async fn post(&self, form: impl Into<Bytes>) -> (u16, String) {
        self.post_to("/bitrix24/events", form).await
    }

    pub(crate) async fn post_to(&self, path: &str, form: impl Into<Bytes>) -> (u16, String) {
        let url = format!("{}{path}", self.address);
        let request = self.client.post_form(&url, form);
        let response = timeout(RESPONSE, request).await.unwrap().unwrap();
        (response.status().as_u16(), text(&response))
    }

    pub(crate) async fn line(&mut self) -> String {
        timeout(RESPONSE, self.lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }
}
