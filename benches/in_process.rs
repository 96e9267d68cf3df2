//! Scan, verification and typed payload, compared with other ways to read the same body.
//!
//! `cargo bench -p benches --bench in_process` prints criterion's figures and, last, the ratios
//! that `BASELINE.md` has goals for.

use std::hint::black_box;
use std::task::{Context, Poll, Waker};

use bodies::{Body, bodies};
use criterion::{Criterion, Throughput};
use tower_bitrix24::{ApplicationToken, Envelope, Event};

/// Needs no runtime: verifying a static token never waits.
fn verify(body: &Body, token: &ApplicationToken) -> Option<Event> {
    let envelope = Envelope::scan(body.form.clone()).unwrap();
    let verify = std::pin::pin!(Event::verify(envelope, token));
    match verify.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event.ok(),
        Poll::Pending => unreachable!(),
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let bodies = bodies();
    for body in &bodies {
        let right = ApplicationToken::new(&body.token).unwrap();
        let wrong = ApplicationToken::new(body.token.replace(|_: char| true, "x")).unwrap();
        let event = verify(body, &right).unwrap();
        assert_eq!(event.mismatch(), None);
        assert!(event.kind().is_some());
        assert!(verify(body, &wrong).is_none());

        let mut group = criterion.benchmark_group(body.name);
        group.throughput(Throughput::Bytes(body.form.len() as u64));
        group.bench_function("accepted", |b| b.iter(|| verify(black_box(body), &right)));
        group.bench_function("rejected", |b| b.iter(|| verify(black_box(body), &wrong)));
        group.bench_function("serde_qs", |b| {
            b.iter(|| (body.by_serde_qs)(black_box(&body.form)));
        });
        group.bench_function("decode", |b| {
            b.iter(|| {
                let pairs = form_urlencoded::parse(black_box(&body.form));
                pairs.fold(0, |sum, (key, value)| sum + key.len() + value.len())
            });
        });
        group.bench_function("copy", |b| b.iter(|| black_box(&body.form[..]).to_vec()));
        group.finish();
    }
    criterion.final_summary();
    print_ratios(&bodies);
}

fn print_ratios(bodies: &[Body]) {
    println!(
        "\n| body | bytes | accepted, µs | of serde_qs | of decode | of copy | rejected of accepted | rejected, GB/s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for body in bodies {
        let time = |bench: &str| median(body.name, bench);
        let names = ["accepted", "rejected", "serde_qs", "decode", "copy"];
        let [
            Some(accepted),
            Some(rejected),
            Some(serde_qs),
            Some(decode),
            Some(copy),
        ] = names.map(time)
        else {
            continue; // Filtered out.
        };
        println!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} |",
            body.name,
            body.form.len(),
            accepted / 1e3,
            accepted / serde_qs,
            accepted / decode,
            accepted / copy,
            rejected / accepted,
            body.form.len() as f64 / rejected,
        );
    }
}

/// Reads a median in nanoseconds from criterion's output.
fn median(group: &str, bench: &str) -> Option<f64> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "../target".to_owned());
    let path = format!("{target}/criterion/{group}/{bench}/new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
