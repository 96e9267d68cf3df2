//! Scan, verification and typed payload, compared with other ways to read the same body.
//!
//! `cargo bench -p benches --bench in_process` prints the ratios that `BASELINE.md` has goals for. Each
//! round runs all ways one after another for a fraction of a millisecond each, and a ratio is taken
//! within a round: other work on the machine slows down both sides of it.

use std::fs;
use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bodies::{Body, bodies};
use tower_bitrix24::{ApplicationToken, Envelope, Event};

const ROUNDS: usize = 2_000;
const TURN: Duration = Duration::from_micros(250);

/// Needs no runtime: verifying a static token never waits.
fn verify(body: &Body, token: &ApplicationToken) -> Option<Event> {
    let envelope = Envelope::scan(body.form.clone()).unwrap();
    let verify = std::pin::pin!(Event::verify(envelope, token));
    match verify.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event.ok(),
        Poll::Pending => unreachable!(),
    }
}

/// The ways to read a body, in the order of their functions.
#[derive(Clone, Copy)]
enum Way {
    Accepted,
    Rejected,
    SerdeQs,
    Decode,
    Copy,
}

fn main() {
    println!("load average: {}", load_average());
    println!(
        "\n| body | bytes | accepted, µs | of serde_qs | of decode | of copy | rejected of accepted | rejected, GB/s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for body in bodies() {
        let rounds = measure(&body);
        let nanoseconds = |way: Way| median(rounds.iter().map(|times| times[way as usize]));
        let ratio = |over: Way, under: Way| {
            median(
                rounds
                    .iter()
                    .map(|times| times[over as usize] / times[under as usize]),
            )
        };
        println!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} |",
            body.name,
            body.form.len(),
            nanoseconds(Way::Accepted) / 1e3,
            ratio(Way::Accepted, Way::SerdeQs),
            ratio(Way::Accepted, Way::Decode),
            ratio(Way::Accepted, Way::Copy),
            ratio(Way::Rejected, Way::Accepted),
            body.form.len() as f64 / nanoseconds(Way::Rejected),
        );
    }
    println!("\nload average: {}", load_average());
}

/// Returns the nanoseconds that each way takes, for each round.
fn measure(body: &Body) -> Vec<[f64; 5]> {
    let right = ApplicationToken::new(&body.token).unwrap();
    let wrong = ApplicationToken::new(body.token.replace(|_: char| true, "x")).unwrap();
    let event = verify(body, &right).unwrap();
    assert_eq!(event.mismatch(), None);
    assert!(event.kind().is_some());
    assert!(verify(body, &wrong).is_none());

    let accept = || drop(black_box(verify(black_box(body), &right)));
    let reject = || drop(black_box(verify(black_box(body), &wrong)));
    let serde_qs = || drop(black_box((body.by_serde_qs)(black_box(&body.form))));
    let decode = || {
        let pairs = form_urlencoded::parse(black_box(&body.form));
        black_box(pairs.fold(0, |sum, (key, value)| sum + key.len() + value.len()));
    };
    let copy = || drop(black_box(black_box(&body.form[..]).to_vec()));
    let ways: [&dyn Fn(); 5] = [&accept, &reject, &serde_qs, &decode, &copy];
    let runs = ways.map(runs_in_a_turn);
    let round = |_| std::array::from_fn(|way| time(ways[way], runs[way]));
    (0..ROUNDS).map(round).collect()
}

fn runs_in_a_turn(way: &dyn Fn()) -> u32 {
    let once = (0..100).map(|_| time(way, 1)).fold(f64::MAX, f64::min);
    (TURN.as_nanos() as f64 / once).ceil() as u32
}

/// Returns the nanoseconds that one of `runs` takes.
fn time(way: &dyn Fn(), runs: u32) -> f64 {
    let start = Instant::now();
    (0..runs).for_each(|_| way());
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn load_average() -> String {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split(' ').next().unwrap_or_default().to_owned()
}
