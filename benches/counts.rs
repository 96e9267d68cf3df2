//! Counts of instructions and allocations for each event, which do not depend on the machine's
//! load.
//!
//! `cargo bench -p benches --bench counts` prints the tables of `BASELINE.md`. It counts
//! instructions under valgrind, which must be installed (Debian's package `valgrind`). With `--
//! --check` it compares the counts with the tables and fails if
//!
//! - a count of instructions has grown by more than a tenth, or a count of allocations at all,
//! - rejecting different wrong tokens takes different numbers of instructions,
//! - a wrong token of a known portal takes over a twentieth more or less than one of an unknown
//!   portal,
//! - an event takes over a fiftieth more instructions in a layer with callbacks than in one without,
//! - a hostile body takes more instructions for each of its bytes than `MAX_INSTRUCTIONS_PER_BYTE`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Ready;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bodies::hostile::hostile;
use bodies::{Body, bodies};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::Full;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer, Service, service_fn};
use tower_bitrix24::portals::{MemoryStore, PortalVerifier, TokenCache, TokenKey};
use tower_bitrix24::rejection::RejectionPolicy;
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventLayer, Secret, TokenSet, VerifyError, VerifyToken,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Long bodies run less often, since each run takes longer.
fn runs(body: &str) -> usize {
    if body == "long" { 5 } else { 100 }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The command that valgrind runs.
        ["run", case, body, runs] => {
            let bodies = bodies();
            let body = bodies
                .iter()
                .find(|candidate| candidate.name == body)
                .unwrap();
            let measured = measured(case, body);
            (0..runs.parse().unwrap()).for_each(|_| measured());
            ExitCode::SUCCESS
        }
        _ => {
            let table = count_all();
            let wrong = count_wrong_tokens();
            let portals = count_portals();
            print!("{}\n{}", show(&table), show_wrong_tokens(&wrong));
            let bytes = count_hostile();
            print!("\n{}", show_portals(&portals));
            print!("\n{}", show_hostile(&bytes));
            let checked = arguments.iter().any(|argument| argument == "--check");
            let fine = || {
                is_no_worse(&table)
                    & is_as_quick_with_callbacks(&table)
                    & is_constant(&wrong)
                    & tells_no_portal(&portals)
                    & is_cheap(&bytes)
            };
            if checked && !fine() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

const CASES: [&str; 10] = [
    "accepted",
    "bare service",
    "decode",
    "layered accepted",
    "layered accepted, callbacks on",
    "layered acknowledged",
    "layered rejected",
    "layered rejected, callbacks on",
    "rejected",
    "serde_qs",
];

fn measured<'a>(case: &str, body: &'a Body) -> Box<dyn Fn() + 'a> {
    let verify = |token: ApplicationToken| {
        move || drop(black_box(read(black_box(body).form.clone(), &token)))
    };
    let wrong = body.token.replace(|_: char| true, "x");
    // The body's token with one wrong letter.
    let near = |at: usize| {
        let mut near = body.token.clone().into_bytes();
        near[at] ^= 1;
        String::from_utf8(near).unwrap()
    };
    let last = body.token.len() - 1;
    let set = |near: String| {
        let tokens = (0..8).map(|_| wrong.clone()).chain([near, wrong.clone()]);
        let tokens = TokenSet::new(tokens).unwrap();
        move || reject(body, &tokens)
    };
    let one = |near: String| {
        let token = ApplicationToken::new(near).unwrap();
        move || reject(body, &token)
    };
    let of_portals = |settings: &str, known: bool| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        let mut portals = PortalVerifier::new(MemoryStore::new());
        if settings.contains("hashed") {
            portals = portals.hash_tokens(TokenKey::new([7; 32]).unwrap());
        }
        if settings.contains("cached") {
            let long = Duration::from_secs(3600);
            portals = portals.cache(TokenCache::new().negative_ttl(long));
        }
        let envelope = Envelope::scan(body.form.clone()).unwrap();
        let member_id = if known {
            envelope.member_id().unwrap().into_owned()
        } else {
            "another".to_owned()
        };
        let token = Secret::new(wrong.clone());
        runtime
            .block_on(portals.set_token(&member_id, &token))
            .unwrap();
        move || {
            let envelope = Envelope::scan(black_box(body).form.clone()).unwrap();
            let rejected = runtime.block_on(portals.verify(&envelope));
            assert_eq!(rejected.unwrap_err().kind(), VerifyErrorKind::Rejected);
        }
    };
    let layer = |token: &str| EventLayer::new(ApplicationToken::new(token).unwrap());
    let layered = |layer: EventLayer<ApplicationToken>| -> Box<dyn Fn() + 'a> {
        let service = layer.layer(service_fn(handle));
        Box::new(move || call(service.clone(), body))
    };
    if let Some(shape) = case.strip_prefix("hostile, ") {
        let bodies = hostile(&body.token, HOSTILE_BYTES);
        let (_, form) = bodies.into_iter().find(|(name, _)| *name == shape).unwrap();
        let token = ApplicationToken::new(&body.token).unwrap();
        return Box::new(move || drop(black_box(read(black_box(form.clone()), &token))));
    }
    if let Some(settings) = case.strip_prefix("known portal, ") {
        return Box::new(of_portals(settings, true));
    }
    if let Some(settings) = case.strip_prefix("unknown portal, ") {
        return Box::new(of_portals(settings, false));
    }
    match case {
        "one, no letter right" => Box::new(one(wrong.clone())),
        "one, first letter wrong" => Box::new(one(near(0))),
        "one, last letter wrong" => Box::new(one(near(last))),
        "ten, no letter right" => Box::new(set(wrong.clone())),
        "ten, first letter wrong" => Box::new(set(near(0))),
        "ten, last letter wrong" => Box::new(set(near(last))),
        "accepted" => Box::new(verify(ApplicationToken::new(&body.token).unwrap())),
        "rejected" => Box::new(verify(ApplicationToken::new(wrong).unwrap())),
        "decode" => Box::new(move || {
            let pairs = form_urlencoded::parse(black_box(&body.form));
            black_box(pairs.fold(0, |sum, (key, value)| sum + key.len() + value.len()));
        }),
        "bare service" => Box::new(move || call(service_fn(handle), body)),
        "layered accepted" => layered(layer(&body.token)),
        "layered accepted, callbacks on" => layered(layer(&body.token).callbacks()),
        "layered acknowledged" => layered(layer(&wrong).on_rejection(RejectionPolicy::Acknowledge)),
        "layered rejected" => layered(layer(&wrong)),
        "layered rejected, callbacks on" => layered(layer(&wrong).callbacks()),
        "serde_qs" => Box::new(move || drop((body.by_serde_qs)(black_box(&body.form)))),
        case => panic!("no case {case}"),
    }
}

fn read(form: Bytes, token: &ApplicationToken) -> Result<Event, VerifyError> {
    let envelope = Envelope::scan(form).unwrap();
    let verify = std::pin::pin!(Event::verify(envelope, token));
    match verify.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event,
        Poll::Pending => unreachable!("a static token waits for nothing"),
    }
}

async fn handle<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(black_box(request));
    Ok(Response::default())
}

/// Calls a service with a complete body. The request has an extension, as behind a router.
fn call<S: Service<Request<Full<Bytes>>>>(mut service: S, body: &Body) {
    let request = Request::post("/bitrix24/events")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(())
        .body(Full::new(body.form.clone()))
        .unwrap();
    let call = std::pin::pin!(service.call(request));
    let response = call.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(response, Poll::Ready(Ok(_))));
}

fn reject<V>(body: &Body, verifier: &V)
where
    V: VerifyToken<Future = Ready<Result<(), VerifyError>>>,
{
    let envelope = Envelope::scan(black_box(body).form.clone()).unwrap();
    assert!(black_box(verifier.verify(&envelope).into_inner()).is_err());
}

/// Wrong tokens for which a comparison that stops at the first difference takes different times.
const WRONG_TOKENS: [[&str; 3]; 2] = [
    [
        "one, no letter right",
        "one, first letter wrong",
        "one, last letter wrong",
    ],
    [
        "ten, no letter right",
        "ten, first letter wrong",
        "ten, last letter wrong",
    ],
];

type WrongTokens = [[u64; 3]; 2];

fn count_wrong_tokens() -> WrongTokens {
    WRONG_TOKENS.map(|cases| cases.map(|case| instructions(case, "seed")))
}

fn show_wrong_tokens(counts: &WrongTokens) -> String {
    let mut table =
        String::from("| configured tokens, and the one rejected | instructions |\n|---|---|\n");
    for (case, count) in WRONG_TOKENS.iter().flatten().zip(counts.iter().flatten()) {
        table += &format!("| {case} | {count} |\n");
    }
    table
}

/// A count is the mean of many runs, rounded down, so equal ones differ by 1 at most. A comparison that
/// stops early differs by several instructions for each letter.
fn is_constant(counts: &WrongTokens) -> bool {
    let constant = counts
        .iter()
        .all(|[none, first, last]| none.abs_diff(*first) <= 1 && none.abs_diff(*last) <= 1);
    if !constant {
        eprintln!("the time to reject depends on the token: {counts:?}");
    }
    constant
}

const STORES: [&str; 4] = ["plain", "hashed", "plain and cached", "hashed and cached"];

/// Returns the instructions to reject a wrong token of a known portal and of an unknown one, for
/// each of [`STORES`].
fn count_portals() -> [[u64; 2]; 4] {
    STORES.map(|store| {
        ["known", "unknown"]
            .map(|portal| instructions(&format!("{portal} portal, {store}"), "seed"))
    })
}

fn show_portals(counts: &[[u64; 2]; 4]) -> String {
    let mut table =
        String::from("| tokens of many portals | known, wrong token | unknown |\n|---|---|---|\n");
    for (store, [known, unknown]) in STORES.iter().zip(counts) {
        table += &format!("| {store} | {known} | {unknown} |\n");
    }
    table
}

fn tells_no_portal(counts: &[[u64; 2]; 4]) -> bool {
    let alike = |[known, unknown]: &[u64; 2]| known.abs_diff(*unknown) <= known / 20;
    let tells_none = counts.iter().all(alike);
    if !tells_none {
        eprintln!("the time to reject tells whether a portal is known: {counts:?}");
    }
    tells_none
}

const HOSTILE_BYTES: usize = 256 << 10;

/// The maximum cost of reading a verified body, whatever its shape: about 50 ns for each byte.
const MAX_INSTRUCTIONS_PER_BYTE: u64 = 400;

fn count_hostile() -> Vec<(&'static str, u64)> {
    let per_byte = |(shape, body): (&'static str, Bytes)| {
        let instructions = instructions(&format!("hostile, {shape}"), "long");
        (shape, instructions / body.len() as u64)
    };
    hostile("token", HOSTILE_BYTES)
        .into_iter()
        .map(per_byte)
        .collect()
}

fn show_hostile(counts: &[(&str, u64)]) -> String {
    let mut table = String::from("| hostile body | instructions for a byte |\n|---|---|\n");
    for (shape, count) in counts {
        table += &format!("| {shape} | {count} |\n");
    }
    table
}

fn is_cheap(counts: &[(&str, u64)]) -> bool {
    let cheap = counts
        .iter()
        .all(|(_, count)| *count <= MAX_INSTRUCTIONS_PER_BYTE);
    if !cheap {
        eprintln!(
            "a hostile body takes over {MAX_INSTRUCTIONS_PER_BYTE} instructions for a byte: {counts:?}"
        );
    }
    cheap
}

/// Instructions and allocations of one run, by case and body.
type Counts = BTreeMap<(String, String), (u64, u64)>;

fn count_all() -> Counts {
    let bodies = bodies();
    let cases = CASES
        .iter()
        .flat_map(|case| bodies.iter().map(move |body| (*case, body)));
    cases
        .map(|(case, body)| {
            let counts = (instructions(case, body.name), allocations(case, body));
            ((case.to_owned(), body.name.to_owned()), counts)
        })
        .collect()
}

fn allocations(case: &str, body: &Body) -> u64 {
    let measured = measured(case, body);
    measured();
    let region = Region::new(ALLOCATOR);
    measured();
    let change = region.change();
    (change.allocations + change.reallocations) as u64
}

/// The difference between many runs and none, so that the start of the program does not count.
fn instructions(case: &str, body: &str) -> u64 {
    let count = |runs: usize| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .args(["run", case, body, &runs.to_string()])
            .output()
            .expect("valgrind must be installed; on Debian: apt-get install valgrind");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = text
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, count) = collected.unwrap_or_else(|| panic!("{text}"));
        count.trim().parse::<u64>().unwrap()
    };
    (count(runs(body) + 1) - count(1)) / runs(body) as u64
}

fn show(counts: &Counts) -> String {
    let mut table =
        String::from("| case | body | instructions | allocations |\n|---|---|---|---|\n");
    for ((case, body), (instructions, allocations)) in counts {
        table += &format!("| {case} | {body} | {instructions} | {allocations} |\n");
    }
    table
}

/// An application that wants robots pays for them with its robots, not with its events.
fn is_as_quick_with_callbacks(counts: &Counts) -> bool {
    let mut as_quick = true;
    for ((case, body), (with, _)) in counts {
        let Some(without) = case.strip_suffix(", callbacks on") else {
            continue;
        };
        let (without, _) = counts[&(without.to_owned(), body.clone())];
        if *with > without + without / 50 {
            eprintln!("{case} {body}: {with} instructions, {without} without callbacks");
            as_quick = false;
        }
    }
    as_quick
}

fn is_no_worse(counts: &Counts) -> bool {
    let baseline = include_str!("BASELINE.md");
    let mut no_worse = true;
    for ((case, body), &(instructions, allocations)) in counts {
        let row = format!("| {case} | {body} | ");
        let row = baseline.lines().find_map(|line| line.strip_prefix(&row));
        let row = row.unwrap_or_else(|| panic!("BASELINE.md has no row for {case} {body}"));
        let known: Vec<u64> = row
            .split('|')
            .filter_map(|cell| cell.trim().parse().ok())
            .collect();
        if instructions > known[0] + known[0] / 10 || allocations > known[1] {
            eprintln!(
                "{case} {body}: {instructions} instructions, {allocations} allocations; \
                 BASELINE.md has {} and {}",
                known[0], known[1]
            );
            no_worse = false;
        }
    }
    no_worse
}
