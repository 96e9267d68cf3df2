//! Instructions and allocations of an event: figures that do not depend on the machine's load.
//!
//! `cargo bench --bench counts` prints the table of `BASELINE.md`, counting instructions under
//! valgrind; `-- --check` compares with that table and fails where a count has grown by more than a
//! tenth.

mod bodies;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::task::{Context, Poll, Waker};

use bodies::{Body, bodies};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower_bitrix24::{ApplicationToken, Envelope, Event};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const RUNS: usize = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // What valgrind runs.
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
            print!("{}", show(&table));
            match arguments.iter().any(|argument| argument == "--check") {
                true => check(&table),
                false => ExitCode::SUCCESS,
            }
        }
    }
}

const CASES: [&str; 3] = ["accepted", "refused", "serde_qs"];

fn measured<'a>(case: &str, body: &'a Body) -> Box<dyn Fn() + 'a> {
    let verify = |token: ApplicationToken| {
        move || {
            let envelope = Envelope::scan(black_box(body).form.clone()).unwrap();
            let verify = std::pin::pin!(Event::verify(envelope, &token));
            let Poll::Ready(event) = verify.poll(&mut Context::from_waker(Waker::noop())) else {
                unreachable!("a static token waits for nothing")
            };
            drop(black_box(event));
        }
    };
    let wrong = body.token.replace(|_: char| true, "x");
    match case {
        "accepted" => Box::new(verify(ApplicationToken::new(&body.token).unwrap())),
        "refused" => Box::new(verify(ApplicationToken::new(wrong).unwrap())),
        "serde_qs" => Box::new(move || drop((body.by_serde_qs)(black_box(&body.form)))),
        case => panic!("no case {case}"),
    }
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
            .expect("valgrind is installed");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = text
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, count) = collected.unwrap_or_else(|| panic!("{text}"));
        count.trim().parse::<u64>().unwrap()
    };
    (count(RUNS + 1) - count(1)) / RUNS as u64
}

fn show(counts: &Counts) -> String {
    let mut table =
        String::from("| case | body | instructions | allocations |\n|---|---|---|---|\n");
    for ((case, body), (instructions, allocations)) in counts {
        table += &format!("| {case} | {body} | {instructions} | {allocations} |\n");
    }
    table
}

fn check(counts: &Counts) -> ExitCode {
    let baseline = include_str!("BASELINE.md");
    let mut failed = false;
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
            failed = true;
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
