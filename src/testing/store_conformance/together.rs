//! Futures at once, and futures given up, without a runtime.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

pub(super) type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Drives all in the task of the caller, and gives their outputs in the same order.
pub(super) async fn together<T>(mut calls: Vec<Call<'_, T>>) -> Vec<T> {
    let mut outputs: Vec<Option<T>> = calls.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (call, output) in calls.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                if let Poll::Ready(done) = call.as_mut().poll(context) {
                    *output = Some(done);
                }
            }
        }
        match outputs.iter().all(Option::is_some) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Drives the call until it has been pending so many times, and drops it then. `None` where it was
/// dropped.
pub(super) async fn given_up<T>(mut call: Call<'_, T>, after: usize) -> Option<T> {
    let mut pending = 0;
    poll_fn(move |context| match call.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            pending += 1;
            match pending < after {
                true => Poll::Pending,
                false => Poll::Ready(None),
            }
        }
    })
    .await
}
