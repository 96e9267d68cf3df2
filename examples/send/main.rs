//! Sends any event to a running application, as a portal would.
//!
//! ```text
//! cargo run --example send --features testing -- ONCRMDEALADD --id 27 \
//!     --token 51856fefc120afa4b628cc82d3935cce
//! cargo run --example send --features testing -- --help
//! ```

mod arguments;
#[path = "../support/client.rs"]
mod client;
mod sender;

use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use arguments::{Args, TOKEN_VARIABLE};
use clap::Parser;
use sender::Sender;
use tower_bitrix24::callback::SettingsAction;
use tower_bitrix24::testing::{TestCallback, TestEvent};
use tower_bitrix24::{Envelope, EventKind};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            let red = AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{red}error:{red:#} {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(mut args: Args) -> Result<ExitCode, Box<dyn Error>> {
    if args.list {
        list(args.event.as_deref().unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    let (name, body) = match &args.replay {
        Some(file) => {
            let body = read_body(file)?;
            let code = Envelope::scan(body.clone()).map(|envelope| envelope.code().into_owned());
            (code.unwrap_or_else(|_| "not an event".to_owned()), body)
        }
        None => match callback(&args)? {
            Some((name, callback)) => {
                args.url = callback.address(&args.url.to_string()).parse()?;
                (name, callback.form().into_bytes())
            }
            None => {
                let code = code(&args)?;
                let form = event(&args, &code)?.form();
                (code, form.into_bytes())
            }
        },
    };
    if args.print {
        let mut out = std::io::stdout().lock();
        out.write_all(&body)?;
        out.write_all(b"\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let sender = Sender::new(args.url, body);
    match args.burst {
        Some(requests) => sender.burst(&name, requests, args.concurrency).await,
        None => sender.once(&name).await,
    }
}

/// Returns the code to send.
fn code(args: &Args) -> Result<String, String> {
    let name = args.event.as_deref().unwrap_or_default();
    match EventKind::from_code(name) {
        Some(_) => Ok(name.to_ascii_uppercase()),
        None if args.undocumented => Ok(name.to_owned()),
        None => Err(format!(
            "{name} is not a documented event. Nearest: {}.\n       --list shows all, \
             --undocumented sends it anyway.",
            nearest(name).join(", ")
        )),
    }
}

/// Returns the names of the three events that are spelled most like `name`.
fn nearest(name: &str) -> Vec<&'static str> {
    let name = name.to_ascii_uppercase();
    let mut kinds: Vec<_> = EventKind::ALL.to_vec();
    kinds.sort_by_cached_key(|kind| strsim::damerau_levenshtein(&name, kind.as_str()));
    kinds.truncate(3);
    kinds.into_iter().map(EventKind::documented_name).collect()
}

/// Returns the callback to send with its name, or `None` if an event is to be sent.
fn callback(args: &Args) -> Result<Option<(String, TestCallback)>, String> {
    let (name, callback) = if let (Some(code), None) = (&args.robot, &args.event) {
        (format!("the robot {code}"), TestCallback::robot(code))
    } else if let Some(place) = &args.placement {
        let callback = TestCallback::placement(place.as_str());
        (format!("the page {place}"), callback)
    } else if let Some(code) = &args.sms {
        (format!("an SMS of {code}"), TestCallback::message(code))
    } else if args.settings {
        let callback = TestCallback::settings(SettingsAction::Install);
        ("the settings form".to_owned(), callback)
    } else {
        return Ok(None);
    };
    if args.id.is_some() || args.handler_id.is_some() || args.webhook || args.undocumented {
        return Err(format!("{name} is not an event; --set sets any value"));
    }
    let mut callback = callback.token(token(args)?).ts(now());
    for (path, value) in &args.set {
        callback = callback.set(path, value);
    }
    if let Some(domain) = &args.portal {
        callback = callback.portal(domain);
    }
    if let Some(id) = &args.member_id {
        callback = callback.member_id(id);
    }
    Ok(Some((name, callback)))
}

fn token(args: &Args) -> Result<&str, String> {
    let tokens = args.token.as_deref().unwrap_or_default();
    let token = tokens
        .split(',')
        .map(str::trim)
        .find(|token| !token.is_empty());
    token.ok_or_else(|| {
        format!(
            "no application token: set that of the application with --token or {TOKEN_VARIABLE}"
        )
    })
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs() as i64)
}

fn event(args: &Args, code: &str) -> Result<TestEvent, String> {
    let mut event = TestEvent::with_code(code).token(token(args)?).ts(now());
    if let Some(id) = &args.id {
        if !event.has_id() {
            return Err(format!("{code} has no id; --set sets any value"));
        }
        event = event.id(id);
    }
    for (path, value) in &args.set {
        event = event.set(path, value);
    }
    if let Some(domain) = &args.portal {
        event = event.portal(domain);
    }
    if let Some(id) = &args.member_id {
        event = event.member_id(id);
    }
    if let Some(id) = args.handler_id {
        event = event.handler_id(id);
    }
    if args.webhook || args.robot.is_some() {
        event = event.webhook();
    }
    Ok(event)
}

fn read_body(file: &Path) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut body).map(drop),
        _ => std::fs::read(file).map(|read| body = read),
    };
    read.map_err(|error| format!("{}: {error}", file.display()))?;
    // A form has no line breaks. One from an editor or a shell would become part of the token.
    while body.ends_with(b"\n") || body.ends_with(b"\r") {
        body.pop();
    }
    Ok(body)
}

/// Prints the events whose names contain `part`.
fn list(part: &str) {
    let part = part.to_ascii_uppercase();
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let mut text = String::new();
    let mut scope = "";
    for kind in EventKind::ALL {
        if !kind.as_str().contains(&part) {
            continue;
        }
        if scope != kind.scope() {
            scope = kind.scope();
            text.push_str(&format!("{bold}{scope}{bold:#}\n"));
        }
        let name = kind.documented_name();
        text.push_str(&if kind.is_deprecated() {
            format!("  {dim}{name} (deprecated){dim:#}\n")
        } else {
            format!("  {name}\n")
        });
    }
    // A closed pipe, as behind `head`, is not an error.
    let _ = anstream::stdout().write_all(text.as_bytes());
}
