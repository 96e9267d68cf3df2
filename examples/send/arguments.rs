//! The arguments of the command line.

use std::path::PathBuf;

use clap::Parser;
use http::Uri;
use tower_bitrix24::testing::TestEvent;

use crate::client::http_url;

pub(crate) const TOKEN_VARIABLE: &str = "BITRIX24_APPLICATION_TOKEN";

/// Sends a Bitrix24 event to a running application, as a portal would.
///
/// Use it with your own applications: they cannot tell the request from a portal's.
#[derive(Parser)]
#[command(
    name = "send",
    after_help = "Exit codes: 0 if every response is 2xx; 1 if one is not; \
                  2 if the arguments are wrong or a response is missing"
)]
pub(crate) struct Args {
    /// Code or documented name of the event, in any case; with --list, a part of it
    #[arg(
        required_unless_present_any = ["list", "replay", "robot", "placement", "sms", "settings"],
        conflicts_with_all = ["replay", "placement", "sms", "settings"],
    )]
    pub(crate) event: Option<String>,

    /// URL at which the application receives events
    #[arg(long, default_value = "http://127.0.0.1:3000/bitrix24/events", value_parser = http_url)]
    pub(crate) url: Uri,

    /// Application token, or several separated by commas, of which the first is sent
    #[arg(long, env = TOKEN_VARIABLE, hide_env_values = true)]
    pub(crate) token: Option<String>,

    /// Id of the object that the event is about
    #[arg(long, conflicts_with = "replay")]
    pub(crate) id: Option<String>,

    /// Value to set in the data, such as FIELDS[ID]=27; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = field, conflicts_with = "replay")]
    pub(crate) set: Vec<(String, String)>,

    /// Domain of the portal
    #[arg(long, value_name = "DOMAIN", conflicts_with = "replay")]
    pub(crate) portal: Option<String>,

    /// Member id of the portal
    #[arg(long, value_name = "ID", conflicts_with = "replay")]
    pub(crate) member_id: Option<String>,

    /// Id of the handler registration
    #[arg(long, value_name = "ID", conflicts_with = "replay")]
    pub(crate) handler_id: Option<u64>,

    /// Send what an outgoing webhook receives, without OAuth fields
    #[arg(long, conflicts_with_all = ["robot", "replay"])]
    pub(crate) webhook: bool,

    /// Without an event, send a robot with this code; with one, send what a robot causes, without
    /// OAuth fields
    #[arg(
        long,
        value_name = "CODE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "robot",
        conflicts_with = "replay",
    )]
    pub(crate) robot: Option<String>,

    /// Send a page at this place
    #[arg(
        long,
        value_name = "PLACE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "DEFAULT",
        conflicts_with_all = ["robot", "replay"],
    )]
    pub(crate) placement: Option<String>,

    /// Send an SMS for the provider with this code
    #[arg(
        long,
        value_name = "CODE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "provider",
        conflicts_with_all = ["robot", "placement", "replay"],
    )]
    pub(crate) sms: Option<String>,

    /// Send a request of the settings form
    #[arg(long, conflicts_with_all = ["robot", "placement", "sms", "replay"])]
    pub(crate) settings: bool,

    /// Allow a code that is not documented
    #[arg(long, conflicts_with = "replay")]
    pub(crate) undocumented: bool,

    /// Send the body in a file unchanged, without line breaks at its end; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,

    /// Print the body instead of sending it
    #[arg(long)]
    pub(crate) print: bool,

    /// Send N requests and print a summary of the responses
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "print")]
    pub(crate) burst: Option<usize>,

    /// Maximum number of concurrent requests of a burst
    #[arg(long, value_name = "M", default_value = "8", value_parser = positive)]
    pub(crate) concurrency: usize,

    /// List the documented events by scope
    #[arg(long, conflicts_with_all = ["replay", "print", "burst"])]
    pub(crate) list: bool,
}

fn field(text: &str) -> Result<(String, String), String> {
    let (path, value) = text.split_once('=').ok_or("the value has no =")?;
    if !TestEvent::is_path(path) {
        return Err(format!("{path} is not a path such as FIELDS[ID]"));
    }
    Ok((path.to_owned(), value.to_owned()))
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("the number must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}
