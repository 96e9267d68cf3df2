//! Tests that the time to compare a token does not reveal how much of it is right, with the
//! statistics of dudect.
//!
//! `cargo bench -p benches --bench constant_time` times the verification of two envelopes in random
//! order: their tokens are wrong from the first letter on, or in the last alone. `max t` is the
//! largest of several t-tests over the two classes of times: within ±5 there is no evidence of a
//! difference. `control` compares with `==`, which stops at the first difference, to show that the
//! test would find one.
//!
//! The counts of `counts` say the same without a clock, and are what `.ci/run` checks.

use std::future::Ready;

use dudect_bencher::ctbench::{BenchMetadata, BenchName, BenchOpts, run_benches_console};
use dudect_bencher::rand::RngExt;
use dudect_bencher::{BenchRng, Class, CtRunner};
use tower_bitrix24::{ApplicationToken, Envelope, TokenSet, VerifyError, VerifyToken};

const TOKEN: &str = "51856fefc120afa4b628cc82d3935cce";
const SAMPLES: usize = 1_000_000;

fn main() -> std::io::Result<()> {
    let bench = |name, benchfn| BenchMetadata {
        name: BenchName(name),
        seed: None,
        benchfn,
    };
    let benches = vec![
        bench("one token", one),
        bench("ten tokens", ten),
        bench("control", control),
    ];
    run_benches_console(BenchOpts::default(), benches)
}

fn one(runner: &mut CtRunner, random: &mut BenchRng) {
    let token = ApplicationToken::new(TOKEN).unwrap();
    compare(runner, random, |envelope| accepts(&token, envelope));
}

fn ten(runner: &mut CtRunner, random: &mut BenchRng) {
    let others = (0..9).map(|other| TOKEN.replace('5', &other.to_string()));
    let tokens = TokenSet::new(others.chain([TOKEN.to_owned()])).unwrap();
    compare(runner, random, |envelope| accepts(&tokens, envelope));
}

fn control(runner: &mut CtRunner, random: &mut BenchRng) {
    compare(runner, random, |envelope| {
        let token = envelope.application_token().unwrap_or_default();
        token.iter().eq(TOKEN.as_bytes())
    });
}

fn accepts<V>(verifier: &V, envelope: &Envelope) -> bool
where
    V: VerifyToken<Future = Ready<Result<(), VerifyError>>>,
{
    verifier.verify(envelope).into_inner().is_ok()
}

fn compare(runner: &mut CtRunner, random: &mut BenchRng, verify: impl Fn(&Envelope) -> bool) {
    let first_wrong = TOKEN.replace(|_: char| true, "x");
    let last_wrong = TOKEN.replace("cce", "ccx");
    for _ in 0..SAMPLES {
        let (class, token) = if random.random() {
            (Class::Left, &first_wrong)
        } else {
            (Class::Right, &last_wrong)
        };
        // Allocated anew each time, at the same place: the address of a string affects the time.
        let body = format!("event=ONAPPTEST&auth[application_token]={token}");
        let envelope = Envelope::scan(body).unwrap();
        runner.run_one(class, || assert!(!verify(&envelope)));
    }
}
