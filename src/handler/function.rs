//! `Handler`: the functions and closures that a router calls.

/// A function or closure that an [`EventRouter`](crate::EventRouter) calls with the arguments `A`, such
/// as `(Event,)`.
///
/// A handler of a router [with a state](crate::EventRouter::with_state) may take the state after these
/// arguments. `M` tells the two forms apart. It is always inferred, and so is everything else except
/// the types of a closure's arguments: write `async |event: Event| …`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take the arguments of this handler",
    label = "does not take `{A}`",
    note = "this handler takes the arguments `{A}`; after them it may take the router's state, `{S}`"
)]
pub trait Handler<A, S, M> {
    /// The future that handles the event.
    type Future;

    /// Calls the handler.
    fn call(&self, arguments: A, state: &S) -> Self::Future;
}

impl<H, F, A, S> Handler<(A,), S, ()> for H
where
    H: Fn(A) -> F,
{
    type Future = F;

    fn call(&self, (argument,): (A,), _: &S) -> F {
        self(argument)
    }
}

impl<H, F, A, S: Clone> Handler<(A,), S, (S,)> for H
where
    H: Fn(A, S) -> F,
{
    type Future = F;

    fn call(&self, (argument,): (A,), state: &S) -> F {
        self(argument, state.clone())
    }
}

impl<H, F, A, B, S> Handler<(A, B), S, ()> for H
where
    H: Fn(A, B) -> F,
{
    type Future = F;

    fn call(&self, (first, second): (A, B), _: &S) -> F {
        self(first, second)
    }
}

impl<H, F, A, B, S: Clone> Handler<(A, B), S, (S,)> for H
where
    H: Fn(A, B, S) -> F,
{
    type Future = F;

    fn call(&self, (first, second): (A, B), state: &S) -> F {
        self(first, second, state.clone())
    }
}
